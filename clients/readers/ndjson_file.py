"""NDJSON: one JSON object a line, its members taken as columns.

Rule: it streams; every bad line is refused with its number and the rest goes in. Members may differ from line
to line, so the columns are settled for each set of names. A member that occurs twice is refused (RFC 8259 4
leaves its meaning open), and an identifier must be text or a whole number.

It reads no JSON arrays and no nested signals; a nested member becomes an attribute in RFC 8785 form.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import rfc8785

from broker.protocol.errors import BadInput
from clients.readers.header import MAXIMUM_COLUMNS
from clients.readers.mapping import ColumnMapping, Columns, settle
from clients.readers.signals import RefusedRow, Signal
from clients.readers.table import checked_region, row_damage, row_signals
from clients.readers.text_lines import text_lines


def read_ndjson(
    path: Path, *, mapping: ColumnMapping | None = None, default_region: str | None = None
) -> Iterator[Signal | RefusedRow]:
    """Stream the signals of an NDJSON file. Arguments and errors as `clients.readers.csv_file.read_csv`."""
    region = checked_region(default_region)

    @lru_cache(maxsize=256)
    def columns_of(names: tuple[str, ...]) -> Columns:
        return settle(names, mapping, strict=False)

    for line in text_lines(path):
        if isinstance(line, RefusedRow):
            yield line
        elif line.text.strip():
            try:
                members = _members(line.text)
                columns = columns_of(tuple(members))
                cells = _cells(members, columns)
            except BadInput as error:
                yield RefusedRow(line.number, error.detail, damaged=True)
                continue
            damage = row_damage(cells)
            if damage is not None:
                yield RefusedRow(line.number, damage, damaged=True)
            else:
                yield from row_signals(line.number, cells, columns, region)


def _members(text: str) -> dict[str, Any]:
    try:
        members = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        raise BadInput(
            "The line is not valid JSON: a comma, quote or bracket may be missing. Export it again."
        ) from None
    if not isinstance(members, dict):
        raise BadInput(
            "The line is not a JSON object: it does not begin with { and end with }. Export one object a line."
        )
    if len(members) > MAXIMUM_COLUMNS:
        raise BadInput(
            f"The line has {len(members):,} members; up to {MAXIMUM_COLUMNS:,} are read. Export only those that are "
            "needed."
        )
    if any(len(name) > 256 or not _is_whole(name) for name in members):
        raise BadInput("The line has a member whose name is damaged or longer than 256 characters.")
    return members


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadInput("The line gives one name twice, so one of its values would be lost. Export it again.")
    return members


def _cells(members: dict[str, Any], columns: Columns) -> list[str]:
    identifying = {position for position, _ in columns.identifiers} | set(columns.type_and_value or ())
    return [_text(value, position in identifying) for position, value in enumerate(members.values())]


def _text(value: Any, identifying: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if identifying and (isinstance(value, bool) or not isinstance(value, int)):
        raise BadInput("An identifier must be text. Give each identifier its own line.")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    try:
        return rfc8785.dumps(value).decode("utf-8")
    except (ValueError, RecursionError):
        raise BadInput(
            "The line has a number or value that cannot be kept as text. Write it as text, in quotes."
        ) from None


def _is_whole(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
