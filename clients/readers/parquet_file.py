"""Parquet, as data platforms export it.

Rule: it streams, a few thousand rows at a time; a row is named by its number from 1. A column of lists or structures
has no one value for a row and is refused in words, unless the mapping leaves it out.

It opens no encrypted file and no folder of parts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from broker.protocol.errors import BadInput
from clients.readers.cells import LOST_DIGITS, Cell, NoIdentifier, plain, value_cell
from clients.readers.columns.column_names import same_column
from clients.readers.columns.header import column_names
from clients.readers.columns.mapping import ColumnMapping
from clients.readers.columns.table import Table, TableRow, checked_region, table_signals
from clients.readers.input_file import opened
from clients.readers.reading import Reading
from clients.readers.signals import RefusedRow, Signal

BATCH_ROWS = 2048
MAXIMUM_GROUP_BYTES = 1024**3
"""Of one row group, unpacked. pyarrow's own default is about a tenth of it."""
_NARROW_DIGITS = 6
_FOOTER_BYTES = 32 * 1024 * 1024
_DAMAGED = "The file is not Parquet, or its end is missing. Export it again."


def read_parquet(
    path: Path, *, mapping: ColumnMapping | None = None, default_region: str | None = None
) -> Iterator[Signal | RefusedRow]:
    """Stream the signals of a Parquet file. Arguments and errors as `clients.readers.csv_file.read_csv`."""
    reading = Reading(mapping, checked_region(default_region))
    with parquet_table(path, reading) as table:
        yield from table_signals(table, reading)


@contextmanager
def parquet_table(path: Path, reading: Reading) -> Iterator[Table]:
    """The table of a Parquet file. Raises BadInput if it cannot be read as a whole."""
    if reading.header_row is not None:
        raise BadInput("A Parquet file names its columns itself. Leave --header-row out.")
    try:
        from pyarrow import parquet
    except ImportError:
        raise BadInput(
            "Reading Parquet needs the extra part: install narrowgate[data]. Or export the file as CSV."
        ) from None
    with opened(path) as file:
        with _in_words():
            source = parquet.ParquetFile(
                file,
                buffer_size=1024 * 1024,
                pre_buffer=False,
                thrift_string_size_limit=_FOOTER_BYTES,
                thrift_container_size_limit=1_000_000,
            )
            names = _names(source)
            positions = _read_positions(source, names, reading.mapping)
            _check_groups(source.metadata)
        yield Table(names, _rows(source, len(names), positions))


def _rows(source: Any, width: int, positions: list[int]) -> Iterator[TableRow]:
    columns, number = [source.schema_arrow.names[at] for at in positions], 0
    narrow = [_is_narrow(source.schema_arrow.field(at).type) for at in positions]
    with _in_words():
        for batch in source.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                number += 1
                cells: list[Cell] = [""] * width
                for position, value, few_digits in zip(positions, values, narrow, strict=True):
                    cells[position] = _narrow_cell(value) if few_digits else value_cell(value)
                yield TableRow(number, cells)


def _is_narrow(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_float32(kind) or types.is_float16(kind))


def _narrow_cell(value: float | None) -> Cell:
    """A number of 32 bits or fewer keeps 6 or 7 digits, and shows others in place of those it lost."""
    cell = value_cell(value)
    lost = value is not None and isinstance(cell, str) and len(cell.removeprefix("-")) > _NARROW_DIGITS
    return NoIdentifier(plain(cell), LOST_DIGITS) if lost else cell


@contextmanager
def _in_words() -> Iterator[None]:
    """What pyarrow says of a damaged file may hold a value of it."""
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, UnicodeDecodeError, OverflowError, ValueError):
        raise BadInput(_DAMAGED) from None
    except OSError as error:
        # pyarrow raises it without a number, for what it cannot unpack.
        if error.errno is None:
            raise BadInput(_DAMAGED) from None
        raise


def _names(source: Any) -> tuple[str, ...]:
    own = source.schema_arrow.names
    names = column_names(own)
    if len(set(own)) != len(own) or len(names) != len(own):
        raise BadInput(
            "The file has two columns of one name, or one without. Name them apart and export it again."
        )
    return names


def _read_positions(source: Any, names: tuple[str, ...], mapping: ColumnMapping | None) -> list[int]:
    """The places of the columns that are read: all but those that the mapping leaves out."""
    from pyarrow import types

    ignored = mapping.ignored if mapping is not None else ()
    kept = [at for at, name in enumerate(names) if not any(same_column(name, other) for other in ignored)]
    for at in kept:
        if types.is_nested(source.schema_arrow.field(at).type):
            raise BadInput(
                f"Column {at + 1} holds lists or structures, not one value a row. Flatten it in the export, or leave "
                'it out: --column "ITS NAME=ignore"'
            )
    return kept


def _check_groups(metadata: Any) -> None:
    for number in range(metadata.num_row_groups):
        if metadata.row_group(number).total_byte_size > MAXIMUM_GROUP_BYTES:
            raise BadInput(
                f"A row group of the file is larger than {MAXIMUM_GROUP_BYTES // 1024**2} MB unpacked. Export it with "
                "smaller ones, such as 100,000 rows."
            )
