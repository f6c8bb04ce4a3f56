"""What an Excel file may consist of, before openpyxl sees it (ECMA-376).

Rule: only a worksheet, which is streamed, may be as large as one; every other part is kept in memory by openpyxl and
has a smaller bound. How a package is checked is `clients.readers.spreadsheets.spreadsheet_package`'s.

It looks at no cell: see `clients.readers.spreadsheets.excel_sheet`.
"""

from xml.etree import ElementTree
from zipfile import ZipFile

from clients.readers.spreadsheets.spreadsheet_package import MAXIMUM_SHEET_BYTES, MEDIA, Form

MAXIMUM_STRINGS_BYTES = 64 * 1024**2
"""Of the shared texts, which openpyxl keeps in memory."""
MAXIMUM_STRINGS = 1_000_000
MAXIMUM_PART_BYTES = 8 * 1024**2
"""Of any other part that openpyxl keeps in memory."""
_TYPES = "[Content_Types].xml"
_SHEETS = "/worksheets/"
_FOREIGN = {"mimetype": "This is an OpenDocument file. If it is a spreadsheet, give it the ending .ods."}
_NOT_KEPT = ("worksheet+xml", "printerSettings", "vbaProject")


def _bound(name: str) -> int:
    if _SHEETS in f"/{name}" or name.endswith(MEDIA):
        return MAXIMUM_SHEET_BYTES
    return MAXIMUM_STRINGS_BYTES if name.endswith("sharedstrings.xml") else MAXIMUM_PART_BYTES


def _maximum_texts(name: str) -> int:
    return 0 if _SHEETS in f"/{name}" else MAXIMUM_STRINGS


def _check_types(archive: ZipFile) -> None:
    """Only a worksheet, which is streamed, may be as large as one: no other part may lie among the worksheets."""
    for part in ElementTree.fromstring(archive.read(_TYPES)):  # noqa: S314 - bounded and without declarations
        name, kind = part.get("PartName", "").lower(), part.get("ContentType", "")
        if (_SHEETS in name or name.endswith(MEDIA)) and not kind.endswith(_NOT_KEPT):
            raise EXCEL.strange


EXCEL = Form("Excel", ".xlsx", _bound, _maximum_texts, lambda name: True, _check_types, _FOREIGN)
