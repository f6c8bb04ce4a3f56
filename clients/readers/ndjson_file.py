"""NDJSON: one JSON object a line, its members taken as columns.

Rule: it streams; every bad line is refused with its number and the rest goes in. Members may differ from line to line:
the columns are those of the first lines, and a line's own where it has more; under a mapping such a line is refused,
since an unknown member would be sealed and handed on without anybody having said so. A member that occurs twice is
refused (RFC 8259 4 leaves its meaning open), and an identifier must be text or a whole number that lost no digit.

It reads no JSON arrays and no nested signals; a nested member becomes an attribute in RFC 8785 form.
"""

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import rfc8785

from broker.protocol.errors import BadInput
from clients.readers.cells import POWERS, Cell, NoIdentifier, number_cell, plain
from clients.readers.columns.header import MAXIMUM_COLUMNS
from clients.readers.columns.mapping import ColumnMapping, Columns, guess_mapping, settle
from clients.readers.columns.several_people import check_one_subject
from clients.readers.columns.table import Table, TableRow, checked_region, row_damage, row_signals
from clients.readers.reading import Reading
from clients.readers.signals import RefusedRow, Signal
from clients.readers.text_lines import text_lines

LINES_LOOKED_AT = 1_000
"""How many lines tell which members a file has."""
_NOT_TEXT = "An identifier must be text. Give each identifier its own line."


def read_ndjson(
    path: Path, *, mapping: ColumnMapping | None = None, default_region: str | None = None
) -> Iterator[Signal | RefusedRow]:
    """Stream the signals of an NDJSON file. Arguments and errors as `clients.readers.csv_file.read_csv`."""
    yield from ndjson_signals(path, Reading(mapping, default_region))


def ndjson_signals(path: Path, reading: Reading) -> Iterator[Signal | RefusedRow]:
    """Stream the signals of an NDJSON file. `reading.columns` are the members that are known beforehand. Raises
    BadInput as `read_ndjson`."""
    region = checked_region(reading.default_region)
    known = reading.columns or ()

    @lru_cache(maxsize=256)
    def columns_of(own: tuple[str, ...]) -> Columns:
        return _settled((*known, *own), bool(own), reading)

    for line in _lines(path):
        if isinstance(line, RefusedRow):
            yield line
            continue
        number, members = line
        own = tuple(name for name in members if name not in known)
        try:
            columns = columns_of(own)
            cells = [_cell(members.get(name)) for name in (*known, *own)]
        except BadInput as error:
            yield RefusedRow(number, error.detail, damaged=True)
            continue
        damage = row_damage([plain(cell) for cell in cells])
        if damage is not None:
            yield RefusedRow(number, damage, damaged=True)
        else:
            yield from row_signals(number, cells, columns, region)


def member_names(path: Path) -> tuple[str, ...]:
    """The members of a file's first lines, in order of appearance. Raises BadInput if none of them has any."""
    names: dict[str, None] = {}
    with closing(_lines(path)) as lines:
        for line in islice(lines, LINES_LOOKED_AT):
            if not isinstance(line, RefusedRow) and len(names.keys() | line[1].keys()) <= MAXIMUM_COLUMNS:
                names.update(dict.fromkeys(line[1]))
    if not names:
        raise BadInput(
            "No line of the file's beginning is a JSON object with members. Export one object a line."
        )
    return tuple(names)


@contextmanager
def ndjson_table(path: Path, reading: Reading) -> Iterator[Table]:
    """A file's lines as a table, to look at its columns: the members that are known, else those of its first lines."""
    names = reading.columns or member_names(path)
    with closing(_rows(path, names)) as rows:
        yield Table(names, rows)


def _rows(path: Path, names: Sequence[str]) -> Generator[TableRow | RefusedRow]:
    for line in _lines(path):
        if isinstance(line, RefusedRow):
            yield line
            continue
        number, members = line
        if any(name not in names for name in members):
            yield RefusedRow(number, _UNKNOWN, damaged=True)
            continue
        try:
            yield TableRow(number, [_cell(members.get(name)) for name in names])
        except BadInput as error:
            yield RefusedRow(number, error.detail, damaged=True)


_UNKNOWN = "The line has a member that the mapping does not know. Map the file again: narrowgate deposit map"


def _settled(names: tuple[str, ...], more: bool, reading: Reading) -> Columns:
    if reading.mapping is None:
        guessed = guess_mapping(names, persons=reading.persons)
        if guessed.has_identifiers:
            check_one_subject(names, guessed)
        return settle(names, guessed, strict=False)
    if reading.columns is not None and more:
        raise BadInput(_UNKNOWN)
    return settle(names, reading.mapping, strict=False)


def _lines(path: Path) -> Generator[tuple[int, dict[str, Any]] | RefusedRow]:
    """(line, members) of each line that is not empty."""
    with closing(text_lines(path)) as lines:
        for line in lines:
            if isinstance(line, RefusedRow):
                yield line
            elif line.text.strip():
                try:
                    yield line.number, _members(line.text)
                except BadInput as error:
                    yield RefusedRow(line.number, error.detail, damaged=True)


class _Number(float):
    """A number with a point or a power of ten, as it is written."""

    written: str

    def __new__(cls, written: str) -> "_Number":
        number = super().__new__(cls, written)
        number.written = written
        return number


def _members(text: str) -> dict[str, Any]:
    try:
        members = json.loads(text, object_pairs_hook=_without_duplicates, parse_float=_Number)
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


def _cell(value: Any) -> Cell:
    """A member's value. Raises BadInput for what cannot be kept as text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    try:
        text = rfc8785.dumps(float(value) if isinstance(value, float) else value).decode("utf-8")
    except (ValueError, RecursionError):
        raise BadInput(
            "The line has a number or value that cannot be kept as text. Write it as text, in quotes."
        ) from None
    if not isinstance(value, _Number):
        return NoIdentifier(text, _NOT_TEXT)
    number = number_cell(value.written, POWERS)
    return NoIdentifier(text, number.reason) if isinstance(number, NoIdentifier) else number


def _is_whole(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
