"""From the cells of one row to signals and refusals, whatever format the table came in.

Rule: every identifier of a row is a signal of its own, and no identifier becomes an attribute of another:
sealed with it, it would reach someone who never asked for it. A bad identifier is refused by itself and the
row's others go in.

It opens no file.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from broker.protocol.errors import BadInput
from clients.identifiers import Canonical, Rejected, canonicalise
from clients.readers.cells import Cell, identifier_text, plain, refusal_of
from clients.readers.columns.header import clean_name
from clients.readers.columns.header_row import (
    LINES_LOOKED_AT,
    Texts,
    line_of_names,
    title_above,
    title_words,
)
from clients.readers.columns.mapping import ColumnMapping, Columns, guess_mapping, guess_type, settle, typed
from clients.readers.columns.person_columns import joined
from clients.readers.columns.several_people import check_one_subject
from clients.readers.reading import Reading
from clients.readers.signals import RefusedRow, Signal

MAXIMUM_CELL_CHARACTERS = 4096


@dataclass(frozen=True)
class TableRow:
    """One row: its line or number from 1, and its cells; missing ones at the end are empty."""

    line: int
    cells: Sequence[Cell] = field(repr=False)


@dataclass(frozen=True)
class Table:
    """A table that is being read: its columns' names, and its rows as they come."""

    names: tuple[str, ...] = field(repr=False)
    rows: Iterator[TableRow | RefusedRow] = field(repr=False)


def checked_region(default_region: str | None) -> str | None:
    """The default region for national phone numbers, upper case. Raises BadInput for an unknown one."""
    if default_region is None:
        return None
    # Imported on use: the numbering plans take a while, and many files are asked about without a region.
    from clients.identifiers.phone import known_region

    region = known_region(default_region)
    if region is None:
        raise BadInput("The default region is not a two-letter country code such as GB.")
    return region


def table_signals(table: Table, reading: Reading) -> Iterator[Signal | RefusedRow]:
    """The signals and refusals of a table. Raises BadInput if the mapping does not fit it, or it has no rows."""
    region = checked_region(reading.default_region)
    chosen = guess_mapping(table.names) if reading.mapping is None else reading.mapping
    table, line = looked_below(table, chosen, reading)
    if line is not None:
        raise BadInput(title_words(line))
    if reading.mapping is None and chosen.has_identifiers:
        check_one_subject(table.names, chosen)
    columns = settle(table.names, chosen)
    any_row = False
    for row in whole_rows(table):
        any_row = True
        if isinstance(row, RefusedRow):
            yield row
        else:
            yield from row_signals(row.line, row.cells, columns, region)
    if not any_row:
        raise BadInput("The file has the columns' names and no row below them.")


def looked_below(table: Table, mapping: ColumnMapping, reading: Reading) -> tuple[Table, int | None]:
    """The same table, and the line that seems to name the columns where its first line does not: it says nothing, or
    it is a title. None where a person said which line does, or none seems to."""
    if reading.header_row is not None:
        return table, None
    ahead = list(islice(table.rows, LINES_LOOKED_AT))
    texts = list(texts_of(ahead))
    line = title_above(table.names, texts) if mapping.has_identifiers else line_of_names(texts)
    return replace(table, rows=chain(ahead, table.rows)), line


def texts_of(rows: Iterable[TableRow | RefusedRow]) -> Iterator[Texts]:
    """The lines and texts of the rows that can be read."""
    return ((row.line, [plain(cell) for cell in row.cells]) for row in rows if isinstance(row, TableRow))


def whole_rows(table: Table) -> Iterator[TableRow | RefusedRow]:
    """A table's rows: empty ones are left out; what is no row of this table is refused."""
    names = tuple(name.casefold() for name in table.names)
    for row in table.rows:
        if isinstance(row, RefusedRow):
            yield row
            continue
        texts = [plain(cell) for cell in row.cells]
        if any(texts[len(names) :]):
            yield RefusedRow(
                row.line,
                f"The row has more columns than the line of names, which has {len(names)}.",
                damaged=True,
            )
        elif (damage := row_damage(texts)) is not None:
            yield RefusedRow(row.line, damage, damaged=True)
        elif _repeats(texts, names):
            yield RefusedRow(row.line, "The row repeats the columns' names.")
        elif any(texts):
            yield row


def row_signals(
    line: int, cells: Sequence[Cell], columns: Columns, default_region: str | None
) -> Iterator[Signal | RefusedRow]:
    """The signals and refusals of one row that is whole (`row_damage`).

    Args: `line` from 1; `cells` in the order of the columns, and missing ones at the end are empty;
    `default_region` where the row names none.
    """
    attributes = tuple(
        (name, text) for position, name in columns.attributes if (text := plain(_at(cells, position)))
    )
    seen: set[str] = set()
    tried: set[tuple[str, str]] = set()
    for position, kind, value in row_identifiers(cells, columns):
        if (kind, plain(value)) in tried:
            continue
        tried.add((kind, plain(value)))
        try:
            canonical = read_identifier(kind, value, row_hint(kind, cells, columns, default_region))
        except Rejected as error:
            joined_here = columns.person is not None and position == columns.person.birth_date
            yield RefusedRow(line, error.detail, None if joined_here else position + 1)
            continue
        # "phone" and "mobile" of one row often hold one number in two spellings.
        if canonical.text not in seen:
            seen.add(canonical.text)
            yield Signal(line, canonical, attributes)
    if not tried:
        yield RefusedRow(
            line,
            "The row has no identifier: its cells for them are empty. Fill one in, or leave the row out.",
        )


def row_identifiers(cells: Sequence[Cell], columns: Columns) -> Iterator[tuple[int, str, Cell]]:
    """(position from 0, type, cell) of each cell of a row that should hold an identifier and is not empty.

    A person whom several columns name stands at the birth date, of which there is one.
    """
    found = list(columns.identifiers)
    if columns.type_and_value is not None:
        kind_at, value_at = columns.type_and_value
        kind = plain(_at(cells, kind_at))
        found.append((value_at, guess_type(kind) or kind))
    for position, kind in found:
        cell = _at(cells, position)
        # A value without text that is not empty, such as a formula without a result, is refused in words.
        if plain(cell) or not isinstance(cell, str):
            yield position, kind, cell
    if columns.person is not None:
        person = joined(
            [_at(cells, at) for at in columns.person.names], _at(cells, columns.person.birth_date)
        )
        if person:
            yield columns.person.birth_date, columns.person.kind, person


def row_hint(kind: str, cells: Sequence[Cell], columns: Columns, default_region: str | None) -> str | None:
    """What is known of a row's identifiers beside their values: by the column's own type ("handle:instagram"), else by
    the row, else the default region for phone numbers."""
    type_name, own = typed(kind)
    if own is not None:
        return own
    position = {"handle": columns.platform, "pdq": columns.quality}.get(type_name, columns.hint)
    of_row = "" if position is None else plain(_at(cells, position))
    return of_row or (default_region if type_name == "phone" else None)


def read_identifier(kind: str, cell: Cell, hint: str | None) -> Canonical:
    """The canonical form of a cell's identifier. Raises Rejected."""
    type_name, _ = typed(kind)
    text = identifier_text(type_name, cell)
    try:
        return canonicalise(type_name, text, hint)
    except Rejected as error:
        raise Rejected(refusal_of(text, error.detail)) from None


def _at(cells: Sequence[Cell], position: int) -> Cell:
    return cells[position] if position < len(cells) else ""


def _repeats(texts: Sequence[str], names: tuple[str, ...]) -> bool:
    """Whether a row holds the columns' names once more, as where exports were joined to one file."""
    # Most rows end here: the first cell is not the first name.
    if not names or not texts or clean_name(texts[0]).casefold() != names[0]:
        return False
    return tuple(clean_name(text).casefold() for text in texts[: len(names)]) == names


def row_damage(texts: Sequence[str]) -> str | None:
    """Why a row with these cells cannot be used; None if it can."""
    for position, text in enumerate(texts, start=1):
        if len(text) > MAXIMUM_CELL_CHARACTERS:
            return f"Column {position} is longer than {MAXIMUM_CELL_CHARACTERS:,} characters."
        # str.isprintable is quick, and false for a NUL and for half a character.
        if not text.isprintable() and ("\0" in text or any("\ud800" <= each <= "\udfff" for each in text)):
            return (
                f"Column {position} holds a NUL or half of a character: the row was damaged. Export it again."
            )
    return None
