"""What an OpenDocument spreadsheet may consist of (ODF 1.3, part 2).

Rule: of its parts three are read: what it is (`mimetype`), whether it has a password (`META-INF/manifest.xml`), and its
sheets (`content.xml`). Pictures, settings, macros and what else there may be are never unpacked.

It looks at no cell: see `clients.readers.spreadsheets.ods_sheet`.
"""

from zipfile import ZipFile

from broker.protocol.errors import BadInput
from clients.readers.spreadsheets.old_excel import LOCKED
from clients.readers.spreadsheets.spreadsheet_package import MAXIMUM_SHEET_BYTES, Form

CONTENT = "content.xml"
_TYPE, _MANIFEST = "mimetype", "META-INF/manifest.xml"
_READ = frozenset({CONTENT, _MANIFEST.lower()})
_SPREADSHEET = b"application/vnd.oasis.opendocument.spreadsheet"
_FOREIGN = {
    "[Content_Types].xml": "This is an Excel workbook. Give it the ending .xlsx.",
    "encrypted-package": LOCKED,
}
_MAXIMUM_BYTES = 1024**2
"""Of the two small parts, which are kept in memory."""


def _bound(name: str) -> int:
    return _MAXIMUM_BYTES if name in (_TYPE, _MANIFEST.lower()) else MAXIMUM_SHEET_BYTES


def _check(archive: ZipFile) -> None:
    if b"encryption-data" in archive.read(_MANIFEST):
        raise BadInput(LOCKED)
    if not archive.read(_TYPE).startswith(_SPREADSHEET):
        raise BadInput(
            "This is an OpenDocument file, but no spreadsheet. Put the table into a sheet of LibreOffice Calc and save "
            "it as .ods."
        )
    archive.getinfo(CONTENT)


def _no_shared_texts(name: str) -> int:
    return MAXIMUM_SHEET_BYTES  # there are none, and nothing is kept of what might look like them


ODS = Form("LibreOffice", ".ods", _bound, _no_shared_texts, _READ.__contains__, _check, _FOREIGN)
