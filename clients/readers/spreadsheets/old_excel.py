"""Files that Excel before 2007 wrote, and workbooks with a password: both begin with the same eight bytes (MS-CFB 2.2).

Rule: such a file is known by its first bytes, whatever its name, and refused with what to click. It is not read: the
old format has no reader that streams, and a password is nobody's business here.

Files that are called .xls and are none, as many web sites and databases write them, are told what they are.
"""

from typing import BinaryIO

from broker.protocol.errors import BadInput

_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
"""The name of the stream in which Office keeps a file with a password (MS-OFFCRYPTO 2.3.4)."""
_CHUNK_BYTES = 1024**2

SAVE_AS = (
    'In Excel: File, Save As, and as the type choose "Excel Workbook (*.xlsx)". In LibreOffice: File, Save As, and as '
    'the file type choose "Excel 2007-365 (.xlsx)" or "ODF Spreadsheet (.ods)". Then read the new file.'
)
LOCKED = (
    "The workbook is protected by a password, so it cannot be read. In Excel: open it, File, Info, Protect Workbook, "
    "Encrypt with Password, empty the field, and save. In LibreOffice: open it, File, Save As, and take away the tick "
    'at "Save with password". Keep the new file where nobody else reads it, and delete it when it was read.'
)
_OLD = f"The file is an Excel file of before 2007 (.xls), which is not read here. {SAVE_AS}"


def check_not_old(file: BinaryIO) -> None:
    """Leave a file at its start. Raises BadInput if it is an old Excel file, or has a password."""
    start = file.read(len(_SIGNATURE))
    if start == _SIGNATURE:
        raise BadInput(LOCKED if _holds(file, _ENCRYPTED) else _OLD)
    file.seek(0)


def not_read_as_old(file: BinaryIO) -> BadInput:
    """The refusal of a file that is called .xls, by what it is."""
    start = file.read(4)
    if not start:
        return BadInput("The file is empty. Export it again.")
    if start.startswith(b"PK"):
        return BadInput(
            "The file's name ends in .xls, but it is a newer workbook. Give it the ending .xlsx, or .ods if it comes "
            "from LibreOffice."
        )
    return BadInput(
        "The file's name ends in .xls, but it is none: many web sites and databases give that ending to web pages and "
        f"to text. {SAVE_AS}"
    )


def _holds(file: BinaryIO, wanted: bytes) -> bool:
    before = b""
    while chunk := file.read(_CHUNK_BYTES):
        if wanted in before + chunk:
            return True
        before = chunk[-len(wanted) :]
    return False
