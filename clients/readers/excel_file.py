"""Excel workbooks (.xlsx, .xlsm): one sheet of them, a row of which names the columns.

Rule: nothing is chosen in silence. Of several sheets with something in them a person names one; hidden sheets are not
read and hidden rows and columns are, and either is said. Macros are never run, links never followed.

It reads no formula (see `clients.readers.excel_sheet`) and neither .xls nor .ods.
"""

import datetime
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from broker.protocol.errors import BadInput
from clients.readers.cells import Cell, plain
from clients.readers.excel_package import check_package
from clients.readers.excel_sheet import Look, Sheet
from clients.readers.input_file import opened
from clients.readers.mapping import ColumnMapping
from clients.readers.reading import Reading
from clients.readers.signals import RefusedRow, Signal
from clients.readers.table import Table, TableRow, checked_region, sheet_table, table_signals

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
        check_package(file)
        workbook = _workbook(file)
        look = _look(workbook)
        # openpyxl has it open too; its own is read whenever it likes.
        with zipfile.ZipFile(file) as archive, _chosen(archive, workbook, look, reading) as source:
            sheet = Sheet(source, look)
            rows = sheet.rows()
            yield sheet_table(rows, _rows(sheet, rows, reading), reading)


def _rows(sheet: Sheet, rows: Iterator[tuple[int, list[Cell]]], reading: Reading) -> Iterator[TableRow]:
    for number, cells in rows:
        yield TableRow(number, cells)
    if sheet.hidden_rows:
        reading.say(
            f"The sheet has hidden rows ({sheet.hidden_rows:,}), as by a filter. They were read too: delete them if "
            "they should stay out."
        )
    if sheet.hidden_columns:
        places = ", ".join(map(str, sorted(sheet.hidden_columns)[:10]))
        reading.say(
            f"The sheet has hidden columns ({places}, counted from the left). They were read too: leave one out "
            'with --column "ITS NAME=ignore".'
        )
    if sheet.formulas:
        reading.say(f"The sheet has formulas ({sheet.formulas:,}). Their last results were read.")


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
    )


@contextmanager
def _chosen(archive: zipfile.ZipFile, workbook: Any, look: Look, reading: Reading) -> Iterator[BinaryIO]:
    sheets = list(workbook.worksheets)
    visible = [sheet for sheet in sheets if sheet.sheet_state == "visible"]
    if reading.sheet is not None:
        chosen = _named(sheets, visible, reading.sheet)
    elif not visible:
        raise BadInput(
            "The workbook has no sheet that can be read, or all are hidden. Save it anew as .xlsx."
        )
    else:
        filled = visible if len(visible) == 1 else [each for each in visible if _filled(archive, each, look)]
        if len(filled) != 1:
            raise BadInput(
                f"The workbook has {len(visible)} sheets. Say which one to read: --sheet 1 for the leftmost, --sheet 2 "
                "for the next, or its name."
            )
        chosen = filled[0]
    hidden = len(sheets) - len(visible)
    if chosen.sheet_state != "visible":
        reading.say("The sheet is hidden in the workbook, and was read since it was named.")
    elif hidden:
        reading.say(f"The workbook has hidden sheets ({hidden}), which were not read.")
    with archive.open(chosen._worksheet_path) as source:
        yield cast(BinaryIO, source)


def _named(sheets: list[Any], visible: list[Any], wanted: str) -> Any:
    by_name = [sheet for sheet in sheets if sheet.title.casefold() == wanted.strip().casefold()]
    if by_name:
        return by_name[0]
    if wanted.strip().isdecimal() and 1 <= int(wanted) <= len(visible):
        return visible[int(wanted) - 1]
    raise BadInput(
        f"The workbook has no sheet of that name or number. It has {len(visible)}, counted from the left from 1."
    )


def _filled(archive: zipfile.ZipFile, sheet: Any, look: Look) -> bool:
    with archive.open(sheet._worksheet_path) as source:
        return any(any(map(plain, cells)) for _, cells in Sheet(cast(BinaryIO, source), look).rows())
