"""OpenDocument spreadsheets (.ods), as LibreOffice and others write them: one sheet of them, a row of which names the
columns.

Rule: macros are never run, links never followed. Which sheet and which row of names: see `sheet_table`.
All sheets are in one part of the file, so it is walked once to learn which there are, and once to read one.

It reads no formula (see `clients.readers.spreadsheets.ods_sheet`) and no text documents with tables.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from clients.readers.columns.table import Table
from clients.readers.input_file import opened
from clients.readers.reading import Reading
from clients.readers.spreadsheets.ods_package import CONTENT, ODS
from clients.readers.spreadsheets.ods_sheet import OdsSheet, sheets_in
from clients.readers.spreadsheets.sheet_table import chosen_sheet, sheet_table
from clients.readers.spreadsheets.spreadsheet_package import check_package


@contextmanager
def ods_table(path: Path, reading: Reading) -> Iterator[Table]:
    """The table of one sheet. Raises BadInput if the file cannot be read, or which sheet is meant is open."""
    with opened(path) as file:
        check_package(file, ODS)
        with zipfile.ZipFile(file) as archive:
            with archive.open(CONTENT) as source:
                chosen = chosen_sheet(sheets_in(cast(BinaryIO, source)), reading)
            with archive.open(CONTENT) as source:
                yield sheet_table(OdsSheet(cast(BinaryIO, source), chosen), reading)
