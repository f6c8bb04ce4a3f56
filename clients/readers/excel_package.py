"""What is in an Excel file before anything is unpacked into memory: a ZIP archive of XML parts (ECMA-376).

Rule: a workbook of a few kilobytes can unpack to gigabytes ("ZIP bomb"), so sizes are bounded twice: as the archive
declares them, and as they come out when each XML part is unpacked once and thrown away. What no workbook has and a
trap has is refused here, before openpyxl sees it: document type declarations, encodings that a search for them would
miss, parts within parts, and text that does not end.

It looks at no cell: see `clients.readers.excel_sheet`.
"""

import re
import zipfile
import zlib
from typing import BinaryIO
from xml.etree import ElementTree

from broker.protocol.errors import BadInput

MAXIMUM_SHEET_BYTES = 1024**3
"""Of one worksheet's XML, unpacked; Excel's 1,048,576 rows of a few cells fit."""
MAXIMUM_STRINGS_BYTES = 64 * 1024**2
"""Of the shared texts, which openpyxl keeps in memory."""
MAXIMUM_STRINGS = 1_000_000
MAXIMUM_PART_BYTES = 8 * 1024**2
"""Of any other part that openpyxl keeps in memory."""
MAXIMUM_RATIO = 250
"""Unpacked to packed, above `_SMALL_BYTES`. Sheets of equal rows come to about 30; DEFLATE can reach 1,032."""
_SMALL_BYTES = 1024**2
_MAXIMUM_PARTS = 2_000
_MAXIMUM_FILE_BYTES = 512 * 1024**2
_DIRECTORY_BYTES = 4 * 1024**2
_TAIL_BYTES = 22 + 65_535
_CHUNK_BYTES = 1024**2
_OLD_FORMAT = b"\xd0\xcf\x11\xe0"
_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    ElementTree.ParseError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_TYPES = "[Content_Types].xml"
_SHEETS = "/worksheets/"
_MEDIA = (".bin", ".png", ".jpeg", ".jpg", ".gif", ".emf", ".wmf", ".tiff", ".tif", ".svg", ".wdp")
_NOT_KEPT = ("worksheet+xml", "printerSettings", "vbaProject")
_ENCODING = re.compile(rb"""\A\s*<\?xml[^>]*?\bencoding\s*=\s*["']([^"']*)["']""")

_BOMB = (
    "The workbook unpacks to far more than it should, so it was not opened: it is damaged, or made to fill this "
    "computer's memory. Ask where it comes from. If it is yours, export the sheet as CSV UTF-8."
)
_DAMAGED = (
    "The workbook is damaged: it cannot be unpacked. Open it in Excel, save it anew as .xlsx, and try again."
)
_STRANGE = (
    "The workbook is not written as Excel writes them, so it was not opened. Open it in Excel, save it anew as .xlsx, "
    "and try again."
)
_TOO_LARGE = "The workbook is larger than is read from Excel files. Export the sheet as CSV UTF-8."


def check_package(file: BinaryIO) -> None:
    """Check an Excel file, and leave it at its start. Raises BadInput saying why it is not opened."""
    _check_ending(file)
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            _check_declared(parts)
            if sum(part.compress_size for part in parts) > file.seek(0, 2):
                raise BadInput(_BOMB)  # parts within parts
            if sum(_unpack(archive, part) for part in parts) > 2 * MAXIMUM_SHEET_BYTES:
                raise BadInput(_TOO_LARGE)
            _check_types(archive.read(_TYPES))
    except _FAULTS:
        raise BadInput(_DAMAGED) from None
    file.seek(0)


def _check_ending(file: BinaryIO) -> None:
    """The archive's own record of its parts lies at the end and would be read whole, whatever it says of itself."""
    start = file.read(4)
    if start == _OLD_FORMAT:
        raise BadInput(
            "The file is an Excel file of before 2007 (.xls), or protected by a password. Open it in Excel and save it "
            "as .xlsx without a password."
        )
    size = file.seek(0, 2)
    if size == 0:
        raise BadInput("The file is empty. Export it again.")
    if start[:2] != b"PK":
        raise BadInput(
            "The file's name says that it is an Excel workbook, but it is none; many web sites give that ending to "
            "other files. Open it in Excel and save it as .xlsx."
        )
    if size > _MAXIMUM_FILE_BYTES:
        raise BadInput(_TOO_LARGE)
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read()
    end = tail[tail.rfind(b"PK\x05\x06") :] if b"PK\x05\x06" in tail else b""
    if len(end) < 22:
        raise BadInput(_DAMAGED)
    parts, directory = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if parts > _MAXIMUM_PARTS or directory > _DIRECTORY_BYTES:
        raise BadInput(_STRANGE)
    file.seek(0)


def _check_declared(parts: list[zipfile.ZipInfo]) -> None:
    names = [part.filename for part in parts]
    if len(set(names)) != len(names) or len(parts) > _MAXIMUM_PARTS:
        raise BadInput(_STRANGE)
    if any(part.flag_bits & 1 for part in parts):
        raise BadInput("The workbook is protected by a password. Save it without one.")
    for part in parts:
        _check_size(part, part.file_size)


def _check_size(part: zipfile.ZipInfo, size: int) -> None:
    if size > _SMALL_BYTES and size > MAXIMUM_RATIO * part.compress_size:
        raise BadInput(_BOMB)
    if size > _bound(part.filename):
        raise BadInput(_TOO_LARGE)


def _bound(name: str) -> int:
    name = name.lower()
    if _SHEETS in f"/{name}" or name.endswith(_MEDIA):
        return MAXIMUM_SHEET_BYTES
    return MAXIMUM_STRINGS_BYTES if name.endswith("sharedstrings.xml") else MAXIMUM_PART_BYTES


def _unpack(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> int:
    """Unpack one part, keeping nothing of it. Its declared size is no proof of the real one, which is returned."""
    size, strings, before, is_xml = 0, 0, b"", True
    with archive.open(part) as source:
        while chunk := source.read(_CHUNK_BYTES):
            if not size:
                # Whatever it is called: a part that starts as XML can be named as a sheet by another part.
                is_xml = not part.filename.lower().endswith(_MEDIA) or _looks_like_xml(chunk)
                if is_xml:
                    _check_start(chunk)
            size += len(chunk)
            _check_size(part, size)
            if is_xml:
                strings += _check_chunk(before + chunk, len(chunk))
                before = chunk[-16:]
            if strings > (0 if _SHEETS in f"/{part.filename.lower()}" else MAXIMUM_STRINGS):
                raise BadInput(_TOO_LARGE)
    return size


def _check_chunk(chunk: bytes, fresh: int) -> int:
    """Check a stretch of XML. Returns about how many shared texts begin in it."""
    if b"\0" in chunk or b"<!DOCTYPE" in chunk or b"<!ENTITY" in chunk:
        raise BadInput(_STRANGE)
    if fresh == _CHUNK_BYTES and b"<" not in chunk[-fresh:]:
        raise BadInput(_BOMB)
    return len(re.findall(rb"[<:]si[ />]", chunk))


def _looks_like_xml(chunk: bytes) -> bool:
    start = chunk[:64].lstrip()
    return start.startswith((b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or start[:2] in (
        b"\0<",
        b"<\0",
    )


def _check_start(chunk: bytes) -> None:
    """XML in UTF-8: what is looked for in the bytes would not be seen in another encoding."""
    chunk = chunk.removeprefix(b"\xef\xbb\xbf")
    declared = _ENCODING.match(chunk[:400])
    if not chunk.lstrip().startswith(b"<") or (
        declared is not None and declared[1].lower() not in (b"utf-8", b"us-ascii")
    ):
        raise BadInput(_STRANGE)


def _check_types(types: bytes) -> None:
    """Only a worksheet, which is streamed, may be as large as one: no other part may lie among the worksheets."""
    for part in ElementTree.fromstring(types):  # noqa: S314 - bounded and without declarations, see above
        name, kind = part.get("PartName", "").lower(), part.get("ContentType", "")
        if (_SHEETS in name or name.endswith(_MEDIA)) and not kind.endswith(_NOT_KEPT):
            raise BadInput(_STRANGE)
