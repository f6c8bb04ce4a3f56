"""Files to signals: the readers' public names, and the choice of a reader by a file's ending.

Rule: every reader streams, and reports refused rows with line number and reason, never the value (SIGNALS 5). A reader
that raises at the end, because the file was changed meanwhile or is no table, has handed on rows before: whoever uses
them must wait for the end before anything leaves this computer. The endings are written out here and do not depend on
what was imported.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from broker.protocol.errors import BadInput
from clients.readers.columns.header_row import checked_header_row
from clients.readers.columns.mapping import ColumnMapping, guess_mapping
from clients.readers.columns.table import Table, table_signals
from clients.readers.csv_file import csv_table, read_csv
from clients.readers.exchange.sniffing import read_json
from clients.readers.giving_up import until_hopeless
from clients.readers.misp_file import read_misp
from clients.readers.ndjson_file import ndjson_signals, ndjson_table, read_ndjson
from clients.readers.parquet_file import parquet_table, read_parquet
from clients.readers.reading import Reading, silent
from clients.readers.record import RecordedSignal, decode_record, encode_record
from clients.readers.signals import RefusedRow, Signal, grouped
from clients.readers.spreadsheets.excel_file import excel_table, read_excel
from clients.readers.spreadsheets.ods_file import ods_table
from clients.readers.spreadsheets.old_excel import SAVE_AS
from clients.readers.stix_file import read_stix

__all__ = [
    "ColumnMapping",
    "Reading",
    "RecordedSignal",
    "RefusedRow",
    "Signal",
    "decode_record",
    "encode_record",
    "grouped",
    "guess_mapping",
    "is_lines",
    "is_table",
    "open_table",
    "read_csv",
    "read_excel",
    "read_file",
    "read_json",
    "read_misp",
    "read_ndjson",
    "read_parquet",
    "read_stix",
]


class Reader(Protocol):
    """What the reader of each format provides."""

    def __call__(
        self,
        path: Path,
        *,
        mapping: ColumnMapping | None = None,
        default_region: str | None = None,
        say: Callable[[str], None] = silent,
    ) -> Iterator[Signal | RefusedRow]: ...


class TableReader(Protocol):
    """What a format provides whose file is one table with names of columns."""

    def __call__(self, path: Path, reading: Reading) -> AbstractContextManager[Table]: ...


_TABLES: Mapping[str, TableReader] = MappingProxyType(
    {
        ".csv": csv_table,
        ".ods": ods_table,
        ".parquet": parquet_table,
        ".tab": csv_table,
        ".tsv": csv_table,
        ".txt": csv_table,
        ".xls": excel_table,
        ".xlsm": excel_table,
        ".xlsx": excel_table,
    }
)
_READERS: Mapping[str, Reader] = MappingProxyType(
    {
        ".json": read_json,
        ".misp": read_misp,
        ".stix": read_stix,
    }
)
_LINES = frozenset({".jsonl", ".ndjson"})
_SPREADSHEET = f"{SAVE_AS} Or export it as CSV UTF-8."
_NOT_READ: Mapping[str, str] = MappingProxyType(
    {
        ".xlsb": f"This is a binary Excel file. {_SPREADSHEET}",
        ".fods": f"This is an OpenDocument spreadsheet in one piece of XML. {_SPREADSHEET}",
        ".numbers": f"This is a Numbers spreadsheet. {_SPREADSHEET}",
        ".zip": "This is an archive. Unpack it and read the file in it.",
        ".gz": "This is an archive. Unpack it and read the file in it.",
    }
)


def read_file(
    path: Path,
    reading: Reading | None = None,
    *,
    default_region: str | None = None,
    only_asking: bool = False,
) -> Iterator[Signal | RefusedRow]:
    """Stream a file's signals with the reader of its ending.

    Args: `reading` what a person decided about the file; without it `default_region` alone. `only_asking` when nothing
    of the file is handed on, as in a request: only then does what its author's marking forbids to share come along.
    Raises: BadInput: at once for an ending without a reader; at the first step if the file as a whole cannot be read;
    later if it proves to be no table, or, at the end, to have been changed meanwhile.
    """
    chosen = reading or Reading(default_region=default_region)
    checked_header_row(chosen.header_row)
    table_reader, reader = _TABLES.get(path.suffix.lower()), _READERS.get(path.suffix.lower())
    if table_reader is not None:
        return until_hopeless(_from_table(table_reader, path, chosen))
    if is_lines(path):
        return until_hopeless(ndjson_signals(path, chosen))
    if reader is not None:
        items = reader(path, mapping=chosen.mapping, default_region=chosen.default_region, say=chosen.say)
        return until_hopeless(items if only_asking else _shareable(items))
    raise BadInput(_no_reader(path))


def _shareable(items: Iterator[Signal | RefusedRow]) -> Iterator[Signal | RefusedRow]:
    for item in items:
        if isinstance(item, Signal) and item.forbidden is not None:
            yield RefusedRow(item.line, item.forbidden, unit=item.unit)
        else:
            yield item


def open_table(path: Path, reading: Reading) -> AbstractContextManager[Table]:
    """The table in a file, to look at its columns. Raises BadInput as `read_file`, and for a file that is no table."""
    checked_header_row(reading.header_row)
    table_reader = _TABLES.get(path.suffix.lower())
    if table_reader is not None:
        return table_reader(path, reading)
    if is_lines(path):
        return ndjson_table(path, reading)
    if path.suffix.lower() in _READERS:
        raise BadInput(
            "This file names by itself what it holds, so it has no columns to show. Try: narrowgate deposit add ... "
            "--dry-run"
        )
    raise BadInput(_no_reader(path))


def is_table(path: Path) -> bool:
    """Whether `open_table` has a reader for a file's ending."""
    return path.suffix.lower() in _TABLES


def is_lines(path: Path) -> bool:
    """Whether a file's ending says that it is lines of JSON, each with members of its own."""
    return path.suffix.lower() in _LINES


def _from_table(table_reader: TableReader, path: Path, reading: Reading) -> Iterator[Signal | RefusedRow]:
    with table_reader(path, reading) as table:
        yield from table_signals(table, reading)


def _no_reader(path: Path) -> str:
    known = _NOT_READ.get(path.suffix.lower(), "There is no reader for files with this ending.")
    return f"{known} Known endings are {', '.join(sorted({*_TABLES, *_READERS, *_LINES} - {'.xls'}))}."
