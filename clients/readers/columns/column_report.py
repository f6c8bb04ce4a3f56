"""What would become of each column of a table: how many of its values would be accepted and refused, and why.

Rule: a person confirms a mapping by what it does to the file, so the values are tried and counted, and none is shown.
An attribute whose values look like identifiers is pointed out: sealed as an attribute, it would be handed on with the
others of its row, and could not be matched.

It deposits nothing.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from clients.identifiers import Rejected, registered_types
from clients.readers.cells import Cell, plain
from clients.readers.columns.mapping import ColumnMapping, settle
from clients.readers.columns.roles import ATTRIBUTE
from clients.readers.columns.table import (
    Table,
    TableRow,
    checked_region,
    looked_below,
    read_identifier,
    row_hint,
    row_identifiers,
    whole_rows,
)
from clients.readers.reading import Reading
from clients.readers.signals import RefusedRow

_TELLING_TYPES = ("email", "iban", "url", "imei", "eth_address", "btc_address", "phone")
"""Types of which a value of something else is hardly ever taken for one."""
_TRIED_VALUES = 200
_NEEDED_VALUES = 3
_NEEDED_SHARE = 0.8


@dataclass
class Column:
    """One column: its name and what it holds (`clients.readers.columns.roles`), and what its values came to.

    `looks_like` is the type that most values of an attribute have, with their number out of `tried`."""

    name: str
    holds: str
    accepted: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    tried: int = 0
    looks: Counter[str] = field(default_factory=Counter)

    @property
    def looks_like(self) -> tuple[str, int] | None:
        """The type and how many values have it, if most have."""
        kind, found = next(iter(self.looks.most_common(1)), ("", 0))
        return (kind, found) if found >= max(_NEEDED_VALUES, _NEEDED_SHARE * self.tried) else None


@dataclass(frozen=True)
class Report:
    """The columns in order, how many rows were looked at, and how many of them cannot be read.

    `names_at` is the line that seems to have the names of the columns, where the first has none that says anything.
    """

    columns: tuple[Column, ...]
    rows: int
    damaged_rows: int
    names_at: int | None = None


def report_columns(
    table: Table, roles: Sequence[str], mapping: ColumnMapping, reading: Reading, rows: int
) -> Report:
    """Try the first `rows` rows of a table. Raises BadInput as reading them would."""
    report = [Column(name, role) for name, role in zip(table.names, roles, strict=True)]
    region = checked_region(reading.default_region)
    columns = settle(table.names, mapping) if mapping.has_identifiers else None
    seen = damaged = 0
    table, names_at = looked_below(table, mapping, reading)
    for row in islice(whole_rows(table), rows):
        seen += 1
        if isinstance(row, RefusedRow):
            damaged += 1
            continue
        for position, kind, cell in row_identifiers(row.cells, columns) if columns is not None else ():
            hint = row_hint(kind, row.cells, columns, region) if columns is not None else None
            _count(report[position], kind, cell, hint)
        for column, cell in _attributes(report, row):
            _look_at(column, cell)
    return Report(tuple(report), seen, damaged, names_at)


def _count(column: Column, kind: str, cell: Cell, hint: str | None) -> None:
    try:
        read_identifier(kind, cell, hint)
    except Rejected as error:
        column.refused += 1
        column.reasons[error.detail] += 1
    else:
        column.accepted += 1


def _attributes(report: list[Column], row: TableRow) -> Iterator[tuple[Column, Cell]]:
    for column, cell in zip(report, row.cells, strict=False):
        if column.holds == ATTRIBUTE and column.tried < _TRIED_VALUES and plain(cell):
            yield column, cell


def _look_at(column: Column, cell: Cell) -> None:
    column.tried += 1
    for kind in _TELLING_TYPES:
        if kind not in registered_types():
            continue
        try:
            read_identifier(kind, cell, None)
        except Rejected:
            continue
        column.looks[kind] += 1
        return
