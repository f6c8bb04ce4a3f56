"""`narrowgate deposit map`: see what each column of a file would be read as, correct it, and save it by a name.

Rule: nothing is sent, and no value is shown: only the columns' names, how many of their values would be accepted and
refused, and why. What was saved here is used for every file with the same columns from then on.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli import run
from clients.cli.reading_options import Options, compares_persons, reading_options, settle_reading
from clients.readers import Reading, guess_mapping, open_table
from clients.readers.columns.column_report import Column, Report, report_columns
from clients.readers.columns.mapping import typed
from clients.readers.columns.person_columns import BIRTH_DATE, NAME
from clients.readers.columns.roles import (
    ATTRIBUTE,
    HINT,
    IGNORE,
    PLATFORM,
    QUALITY,
    REGION,
    TYPE,
    VALUE,
    roles_of,
)
from clients.readers.columns.several_people import in_words, several_people
from clients.readers.signals import REFERENCE
from clients.saved_mappings import MappedColumn, SavedMapping, save_mapping

_SHOWN_REASONS = 3
_SHOWN_NAME = 32
_MEANING = {
    ATTRIBUTE: "attribute: sealed with every identifier of its row",
    IGNORE: "ignored: goes nowhere",
    REFERENCE: "your own reference of the row",
    BIRTH_DATE: "birth date; with the names of the row a person",
    HINT: "region, platform or quality of the row's identifier",
    NAME: "name; with the birth date of the row a person",
    PLATFORM: "platform of the row's account names",
    QUALITY: "quality of the row's PDQ hashes",
    REGION: "region of the row's phone numbers, or country of its plates",
    TYPE: "type of the identifier in the column of values",
    VALUE: "identifier, of the type in the column of types",
}


@reading_options
def map_columns(
    directory: run.HomeFolder,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A table (CSV, Excel, OpenDocument, Parquet) or lines of JSON."),
    ],
    reading: Options = Options(),
    save: Annotated[
        str | None,
        typer.Option(
            "--save", metavar="NAME", help="Save it in your home, for all files with these columns."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write it as a file, to hand to somebody else."),
    ] = None,
    rows: Annotated[
        int, typer.Option("--rows", min=0, help="How many rows to try; 0 for all of them.")
    ] = 10_000,
    as_json: run.Json = False,
) -> None:
    """Show what each column of a file would be read as, and what would become of its values. Nothing is sent.

    Look at the list, correct what is wrong with --column "Handy=phone", and save it with --save NAME. The names of
    columns are shown, values never.
    """
    home = run.open_home(directory)
    settled = settle_reading(home, file, reading, aloud=False)
    with open_table(file, settled) as table:
        chosen = settled.mapping or guess_mapping(table.names, persons=compares_persons(home))
        roles = roles_of(table.names, chosen)
        report = report_columns(table, roles, chosen, settled, rows or sys.maxsize)
        saved = _saved(table.names, roles, settled)
    if out is not None:
        run.write_output(out, json.dumps(saved.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")
    if save is not None:
        save_mapping(home, save, saved)
    run.show(_members(report, save, out), "\n".join(_words(report, save, out)), as_json=as_json)


def _saved(names: tuple[str, ...], roles: tuple[str, ...], reading: Reading) -> SavedMapping:
    return SavedMapping(
        columns=tuple(MappedColumn(name=name, holds=role) for name, role in zip(names, roles, strict=True)),
        default_region=reading.default_region,
        encoding=reading.encoding,
        sheet=reading.sheet,
        header_row=reading.header_row,
    )


def _members(report: Report, save: str | None, out: Path | None) -> dict[str, Any]:
    about = _about(report)
    return {
        "columns": [
            {
                "position": position,
                "name": column.name,
                "holds": column.holds,
                "accepted": column.accepted,
                "refused": column.refused,
                "reasons": [
                    {"reason": reason, "count": count} for reason, count in column.reasons.most_common()
                ],
                "looks_like": column.looks_like[0] if column.looks_like else None,
            }
            for position, column in enumerate(report.columns, start=1)
        ],
        "rows": report.rows,
        "damaged_rows": report.damaged_rows,
        "names_at": report.names_at,
        "about_several": {subject or "not said": at for subject, at in about.items()},
        "saved": save,
        "file": None if out is None else str(out),
    }


def _words(report: Report, save: str | None, out: Path | None) -> list[str]:
    lines = [
        f"{len(report.columns):,} columns; {report.rows:,} rows were tried, {report.damaged_rows:,} of them damaged."
    ]
    for position, column in enumerate(report.columns, start=1):
        lines += _column_words(position, column)
    about = _about(report)
    if about:
        lines.append(
            f'LOOK: {in_words(about)} Leave columns out with --column "NAME=ignore", and map the file once for each. '
            "To save it as it is says that they belong together."
        )
    if report.names_at is not None:
        lines.append(
            f"LOOK: the first line does not name the columns, and line {report.names_at} seems to. If it does, say so: "
            f"--header-row {report.names_at}. Or delete what stands above it, such as a title, and map the file again."
        )
    elif not any(column.accepted for column in report.columns):
        lines.append('No identifier would be taken. Say which column holds some: --column "NAME=phone"')
    if save is not None:
        lines.append(
            f"Saved as {save}. It is used for every file with these columns; or name it: --mapping {save}"
        )
    if out is not None:
        lines.append(f"Wrote {out}. Use it with: --mapping {out}")
    if save is None and out is None:
        lines.append(
            'Nothing was saved. If all is right, add: --save NAME. If not: --column "NAME=what it holds"'
        )
    return lines


def _about(report: Report) -> Mapping[str, tuple[int, ...]]:
    return several_people(
        [column.name for column in report.columns], [column.holds for column in report.columns]
    )


def _column_words(position: int, column: Column) -> list[str]:
    name = column.name if len(column.name) <= _SHOWN_NAME else column.name[: _SHOWN_NAME - 3] + "..."
    kind, order = typed(column.holds)
    words = _MEANING.get(kind if kind == BIRTH_DATE else column.holds, column.holds)
    words += f", {order}" if kind == BIRTH_DATE and order is not None else ""
    if column.holds not in _MEANING or column.accepted or column.refused:
        words += f": {column.accepted:,} accepted, {column.refused:,} refused"
    lines = [f"  {position}. {name}: {words}"]
    lines += [
        f"       refused {count:,}: {reason}" for reason, count in column.reasons.most_common(_SHOWN_REASONS)
    ]
    if column.looks_like is not None:
        looks, found = column.looks_like
        lines.append(
            f"       LOOK: {found:,} of its first {column.tried:,} values look like {looks}. As an attribute they are "
            f'handed on and never matched. To match them: --column "{position}={looks}"'
        )
    return lines
