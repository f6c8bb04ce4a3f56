"""How the commands are told to read a file, and what they settle from that and from what the home has saved.

Rule: what a person says counts, then a mapping saved for these very columns, then the columns' names; which of them it
was is said on standard error.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.protocol.errors import BadInput
from broker.protocol.messages.parties import Space
from clients.cli import run
from clients.cli.papers import read_paper
from clients.home import Home
from clients.identifiers.person import TYPE as PERSON
from clients.readers import Reading, guess_mapping, is_lines, is_table, open_table
from clients.readers.columns.header_row import MAXIMUM_HEADER_ROW
from clients.readers.columns.roles import ATTRIBUTE, IGNORE, corrected, mapping_of, roles_of
from clients.readers.columns.several_people import check_one_subject
from clients.saved_mappings import SavedMapping, saved_mapping, saved_mappings

_MappingName = Annotated[
    str | None,
    typer.Option(
        "--mapping",
        metavar="NAME_OR_FILE",
        help="What each column holds, as `deposit map` saved or wrote it.",
    ),
]
_Corrections = Annotated[
    list[str] | None,
    typer.Option(
        "--column", metavar="NAME=TYPE", help='What a column holds, such as "Handy=phone"; repeat it.'
    ),
]
_EncodingName = Annotated[
    str | None,
    typer.Option(
        "--encoding", metavar="NAME", help="Of a text file that is not UTF-8, such as windows-1252."
    ),
]
_SheetName = Annotated[
    str | None,
    typer.Option(
        "--sheet", metavar="SHEET", help="Of a workbook: the sheet's name, or its number from the left."
    ),
]
_HeaderRow = Annotated[
    int | None,
    typer.Option(
        "--header-row",
        metavar="LINE",
        min=1,
        max=MAXIMUM_HEADER_ROW,
        help="The line that names the columns, if it is not the first.",
    ),
]
RefusedFile = Annotated[
    Path | None,
    typer.Option(
        "--refused", metavar="FILE", help="Write line, column and reason of each refused row as CSV."
    ),
]
_DefaultRegion = Annotated[
    str | None,
    typer.Option(
        "--default-region", metavar="GB", help="Country of phone numbers without a prefix, such as GB."
    ),
]


@dataclass(frozen=True)
class Options:
    """The options as they were given."""

    mapping: str | None = None
    columns: tuple[str, ...] = ()
    default_region: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    header_row: int | None = None


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command that reads a file, with the options that say how, in place of its parameter `reading: Options`.

    So every such command has the same ones: typer sees six options, and the command is handed one value.
    """
    options = {
        "default_region": _DefaultRegion,
        "mapping": _MappingName,
        "column": _Corrections,
        "encoding": _EncodingName,
        "sheet": _SheetName,
        "header_row": _HeaderRow,
    }

    @functools.wraps(command)
    def with_options(*positional: Any, **arguments: Any) -> None:
        # Another command that calls this one hands on its own `reading`.
        if "reading" not in arguments:
            given = {name: arguments.pop(name, None) for name in options}
            arguments["reading"] = Options(columns=tuple(given.pop("column") or ()), **given)
        command(*positional, **arguments)

    parameters: list[inspect.Parameter] = []
    for own in inspect.signature(command).parameters.values():
        if own.name != "reading":
            parameters.append(own)
            continue
        parameters += [
            inspect.Parameter(name, own.kind, default=None, annotation=annotation)
            for name, annotation in options.items()
        ]
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options


def settle_reading(
    home: Home, file: Path, options: Options, space: Space | None = None, *, aloud: bool = True
) -> Reading:
    """How to read a file. Raises BadInput if the options do not fit it.

    Args:
        space: for which the file is read; None for any of the home's.
        aloud: whether to say what the columns were taken for, where nobody said or saved it.
    """
    plain = Reading(
        default_region=options.default_region,
        encoding=options.encoding,
        sheet=options.sheet,
        header_row=options.header_row,
        say=run.say,
    )
    lines = is_lines(file)
    if not is_table(file) and options.header_row is not None:
        raise BadInput("--header-row is for tables; this file has no line of names.")
    if not is_table(file) and not lines:
        if options.mapping is not None or options.columns:
            raise BadInput("--mapping and --column are for tables; this file names what it holds itself.")
        return plain
    saved = None if options.mapping is None else _named(home, options.mapping)
    if saved is None:
        saved = _found(home, file, plain)
    reading = plain if saved is None else _with(saved, plain)
    persons = compares_persons(home, space)
    # Of lines of JSON each may lack some members, also the first ones.
    known = tuple(column.name for column in saved.columns) if lines and saved is not None else None
    with open_table(file, replace(reading, columns=known, say=_nothing)) as table:
        names = table.names
    mapping = guess_mapping(names, persons=persons) if saved is None else saved.mapping(names)
    if options.columns:
        mapping = mapping_of(names, corrected(names, roles_of(names, mapping), options.columns))
    if saved is None and aloud and mapping.has_identifiers:
        check_one_subject(names, mapping)
        if not options.columns:
            run.say(_guess_in_words(roles_of(names, mapping)))
    if lines:
        # Nobody spoke of the members: those of later lines are guessed as they come.
        spoken = mapping if saved is not None or options.columns else None
        return replace(reading, mapping=spoken, columns=names, persons=persons)
    return replace(reading, mapping=mapping)


def compares_persons(home: Home, space: Space | None = None) -> bool:
    """Whether the space compares persons, a type that only those spaces do that name it; without one, any of the
    home's spaces."""
    if space is not None:
        return PERSON in space.identifier_types
    return any(PERSON in home.space(each).payload.identifier_types for each in home.space_ids())


def _with(saved: SavedMapping, plain: Reading) -> Reading:
    return replace(
        plain,
        default_region=plain.default_region or saved.default_region,
        encoding=plain.encoding or saved.encoding,
        sheet=plain.sheet or saved.sheet,
        header_row=plain.header_row or saved.header_row,
    )


def _named(home: Home, name: str) -> SavedMapping:
    path = Path(name)
    if path.suffix or len(path.parts) > 1:
        return read_paper(SavedMapping, path, "the mapping")
    return saved_mapping(home, name)


def _found(home: Home, file: Path, plain: Reading) -> SavedMapping | None:
    """The mapping saved for a file's columns, read as it was saved to be."""
    fitting = []
    for name, saved in saved_mappings(home):
        try:
            with open_table(file, replace(_with(saved, plain), say=_nothing)) as table:
                if saved.fits(table.names):
                    fitting.append((name, saved))
        except BadInput:
            continue  # read as this mapping wants, it is no table: so the mapping is not for it
    if len(fitting) > 1:
        raise BadInput("Several saved mappings fit this file. Say which one is meant: --mapping NAME")
    for name, saved in fitting:
        run.say(f"Read with the mapping {name}, which was saved for these columns.")
        return saved
    return None


def _nothing(words: str) -> None:
    """Remarks on a file are made once, when its rows are read."""


def _guess_in_words(roles: tuple[str, ...]) -> str:
    read = [f"{at} as {role}" for at, role in enumerate(roles, start=1) if role not in (ATTRIBUTE, IGNORE)]
    attributes = [str(at) for at, role in enumerate(roles, start=1) if role == ATTRIBUTE]
    words = f"By their names, columns are read: {', '.join(read)}"
    if attributes:
        shown = ", ".join(attributes[:10]) + (", ..." if len(attributes) > 10 else "")
        words += f"; sealed with them: {shown}"
    return f"{words}. To check and save that: narrowgate deposit map"
