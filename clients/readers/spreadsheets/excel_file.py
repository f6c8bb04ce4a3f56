"""Excel workbooks (.xlsx, .xlsm): one sheet of them, a row of which names the columns.

Rule: macros are never run, links never followed. Which sheet and which row of names: see `sheet_table`.

It reads no formula (see `excel_sheet`) and no .xls (see `old_excel`).
"""

import datetime
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from broker.protocol.errors import BadInput
from clients.readers.cells import plain
from clients.readers.columns.mapping import ColumnMapping
from clients.readers.columns.table import Table, checked_region, table_signals
from clients.readers.input_file import opened
from clients.readers.reading import Reading
from clients.readers.signals import RefusedRow, Signal
from clients.readers.spreadsheets.excel_package import EXCEL
from clients.readers.spreadsheets.excel_sheet import Look, Sheet
from clients.readers.spreadsheets.old_excel import not_read_as_old
from clients.readers.spreadsheets.sheet_table import SheetFacts, chosen_sheet, sheet_table
from clients.readers.spreadsheets.spreadsheet_package import check_package

_DAMAGED = (
    "The workbook cannot be read. Open it in Excel, save it anew as Excel Workbook (.xlsx), and try again."
)


def read_excel(
    path: Path, *, mapping: ColumnMapping | None = None, default_region: str | None = None
) -> Iterator[Signal | RefusedRow]:
    """Stream the signals of a workbook's only sheet. Arguments and errors as `clients.readers.csv_file.read_csv`."""
    reading = Reading(mapping, checked_region(default_region))
    with excel_table(path, reading) as table:
        yield from table_signals(table, reading)


@contextmanager
def excel_table(path: Path, reading: Reading) -> Iterator[Table]:
    """The table of one sheet. Raises BadInput if the workbook cannot be read, or which sheet is meant is open."""
    with opened(path) as file:
        if path.suffix.lower() == ".xls":
            raise not_read_as_old(file)
        check_package(file, EXCEL)
        workbook = _workbook(file)
        look = _look(workbook)
        # openpyxl has it open too; its own is read whenever it likes.
        with zipfile.ZipFile(file) as archive:
            sheets = [
                SheetFacts(each.title, each.sheet_state == "visible", partial(_filled, archive, each, look))
                for each in workbook.worksheets
            ]
            chosen = workbook.worksheets[chosen_sheet(sheets, reading)]
            with archive.open(chosen._worksheet_path) as source:
                yield sheet_table(Sheet(cast(BinaryIO, source), look), reading)


def _workbook(file: BinaryIO) -> Any:
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise BadInput(
            "Reading Excel files needs the extra part: install narrowgate[data]. Or export the sheet as CSV UTF-8."
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of what it does not keep when it saves, which is never done here
            return load_workbook(file, read_only=True, keep_links=False)
    except OSError:
        raise
    except Exception:
        # openpyxl raises what it happens to, and with the text of the file in it.
        raise BadInput(_DAMAGED) from None


def _look(workbook: Any) -> Look:
    texts: list[str] = next((sheet._shared_strings for sheet in workbook.worksheets), [])
    return Look(
        texts,
        frozenset(workbook._date_formats),
        frozenset(workbook._timedelta_formats),
        cast(datetime.datetime, workbook.epoch),
        frozenset(
            at for at, style in enumerate(workbook._cell_styles) if _in_powers(workbook, style.numFmtId)
        ),
    )


def _in_powers(workbook: Any, number_format: int) -> bool:
    from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE

    own = number_format - BUILTIN_FORMATS_MAX_SIZE
    formats = workbook._number_formats
    code = formats[own] if 0 <= own < len(formats) else BUILTIN_FORMATS.get(number_format, "")
    return re.search("[Ee][+-]", code) is not None


def _filled(archive: zipfile.ZipFile, sheet: Any, look: Look) -> bool:
    with archive.open(sheet._worksheet_path) as source:
        return any(any(map(plain, cells)) for _, cells in Sheet(cast(BinaryIO, source), look).rows())
