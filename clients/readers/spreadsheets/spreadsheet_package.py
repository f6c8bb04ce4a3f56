"""A spreadsheet that is a ZIP of XML, checked before a reader sees it (PKWARE APPNOTE; XML 1.0).

Rule: a file that unpacks to far more than it should is an attack or damaged, and is refused before memory is used. Its
parts are unpacked once and counted, since what a ZIP says of sizes is only said. What no spreadsheet has and a trap has
is refused here: document type declarations, encodings that a search for them would miss, parts within parts, and text
that does not end.

What a format's parts are is the format's to say: see `excel_package` and `ods_package`.
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from xml.etree import ElementTree

from broker.protocol.errors import BadInput
from clients.readers.spreadsheets.old_excel import LOCKED

MAXIMUM_SHEET_BYTES = 1024**3
"""Of one part with a sheet in it, unpacked; 1,048,576 rows of a few cells fit."""
MAXIMUM_RATIO = 250
"""Unpacked to packed, above `_SMALL_BYTES`. Sheets of equal rows come to about 30; DEFLATE can reach 1,032."""
_SMALL_BYTES = 1024**2
_MAXIMUM_PARTS = 2_000
_MAXIMUM_FILE_BYTES = 512 * 1024**2
_DIRECTORY_BYTES = 4 * 1024**2
_TAIL_BYTES = 22 + 65_535
_CHUNK_BYTES = 1024**2
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
MEDIA = (".bin", ".png", ".jpeg", ".jpg", ".gif", ".emf", ".wmf", ".tiff", ".tif", ".svg", ".wdp")
_ENCODING = re.compile(rb"""\A\s*<\?xml[^>]*?\bencoding\s*=\s*["']([^"']*)["']""")


@dataclass(frozen=True)
class Form:
    """What is particular to one format: the `program` that writes it and its `ending`, for the words of refusals; the
    bytes that a part may have by its name in lower case, and the shared texts; which parts are read at all; what else
    is looked at in the archive, raising BadInput; and `foreign` parts, with the words of their refusal."""

    program: str
    ending: str
    bound: Callable[[str], int]
    maximum_texts: Callable[[str], int]
    is_read: Callable[[str], bool]
    check: Callable[[zipfile.ZipFile], None]
    foreign: Mapping[str, str]

    @property
    def bomb(self) -> BadInput:
        """The refusal of what unpacks to far too much."""
        return BadInput(
            "The workbook unpacks to far more than it should, so it was not opened: it is damaged, or made to fill "
            "this computer's memory. Ask where it comes from. If it is yours, export the sheet as CSV UTF-8."
        )

    @property
    def damaged(self) -> BadInput:
        """The refusal of what cannot be unpacked."""
        return BadInput(
            f"The workbook is damaged: it cannot be unpacked. Open it in {self.program}, save it anew as "
            "{self.ending}, and try again."
        )

    @property
    def strange(self) -> BadInput:
        """The refusal of what its program does not write."""
        return BadInput(
            f"The workbook is not written as {self.program} writes them, so it was not opened. Open it in "
            f"{self.program}, save it anew as {self.ending}, and try again."
        )

    @property
    def too_large(self) -> BadInput:
        """The refusal of what is beyond the bounds."""
        return BadInput(
            f"The workbook is larger than is read from {self.ending} files. Export the sheet as CSV UTF-8."
        )


def check_package(file: BinaryIO, form: Form) -> None:
    """Check a file by unpacking it once, and leave it at its start. Raises BadInput saying why it is not opened."""
    _check_ending(file, form)
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            _check_declared(parts, form)
            if sum(part.compress_size for part in parts) > file.seek(0, 2):
                raise form.bomb  # parts within parts
            read = [part for part in parts if form.is_read(part.filename.lower())]
            if sum(_unpack(archive, part, form) for part in read) > 2 * MAXIMUM_SHEET_BYTES:
                raise form.too_large
            form.check(archive)
    except _FAULTS:
        raise form.damaged from None
    file.seek(0)


def _check_ending(file: BinaryIO, form: Form) -> None:
    """The archive's own record of its parts lies at the end and would be read whole, whatever it says of itself."""
    file.seek(0)
    start = file.read(4)
    size = file.seek(0, 2)
    if size == 0:
        raise BadInput("The file is empty. Export it again.")
    if start[:2] != b"PK":
        raise BadInput(
            f"The file's name says that it is a workbook ({form.ending}), but it is none; many web sites give that "
            f"ending to other files. Open it in {form.program} and save it as {form.ending}."
        )
    if size > _MAXIMUM_FILE_BYTES:
        raise form.too_large
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read()
    end = tail[tail.rfind(b"PK\x05\x06") :] if b"PK\x05\x06" in tail else b""
    if len(end) < 22:
        raise form.damaged
    parts, directory = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if parts > _MAXIMUM_PARTS or directory > _DIRECTORY_BYTES:
        raise form.strange
    file.seek(0)


def _check_declared(parts: list[zipfile.ZipInfo], form: Form) -> None:
    names = [part.filename for part in parts]
    for name, words in form.foreign.items():
        if name in names:
            raise BadInput(words)
    if len(set(names)) != len(names) or len(parts) > _MAXIMUM_PARTS:
        raise form.strange
    if any(part.flag_bits & 1 for part in parts):
        raise BadInput(LOCKED)
    for part in parts:
        _check_size(part, part.file_size, form)


def _check_size(part: zipfile.ZipInfo, size: int, form: Form) -> None:
    if size > _SMALL_BYTES and size > MAXIMUM_RATIO * part.compress_size:
        raise form.bomb
    if size > form.bound(part.filename.lower()):
        raise form.too_large


def _unpack(archive: zipfile.ZipFile, part: zipfile.ZipInfo, form: Form) -> int:
    """Unpack one part, keeping nothing of it. Its declared size is no proof of the real one, which is returned."""
    size, strings, before, is_xml = 0, 0, b"", True
    with archive.open(part) as source:
        while chunk := source.read(_CHUNK_BYTES):
            if not size:
                # Whatever it is called: a part that starts as XML can be named as a sheet by another part.
                is_xml = not part.filename.lower().endswith(MEDIA) or _looks_like_xml(chunk)
                if is_xml:
                    _check_start(chunk, form)
            size += len(chunk)
            _check_size(part, size, form)
            if is_xml:
                strings += _check_chunk(before + chunk, len(chunk), form)
                before = chunk[-16:]
            if strings > form.maximum_texts(part.filename.lower()):
                raise form.too_large
    return size


def _check_chunk(chunk: bytes, fresh: int, form: Form) -> int:
    """Check a stretch of XML. Returns about how many shared texts begin in it."""
    if b"\0" in chunk or b"<!DOCTYPE" in chunk or b"<!ENTITY" in chunk:
        raise form.strange
    if fresh == _CHUNK_BYTES and b"<" not in chunk[-fresh:]:
        raise form.bomb
    return len(re.findall(rb"[<:]si[ />]", chunk))


def _looks_like_xml(chunk: bytes) -> bool:
    start = chunk[:64].lstrip()
    return start.startswith((b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or start[:2] in (
        b"\0<",
        b"<\0",
    )


def _check_start(chunk: bytes, form: Form) -> None:
    """XML in UTF-8: what is looked for in the bytes would not be seen in another encoding."""
    chunk = chunk.removeprefix(b"\xef\xbb\xbf")
    declared = _ENCODING.match(chunk[:400])
    if not chunk.lstrip().startswith(b"<") or (
        declared is not None and declared[1].lower() not in (b"utf-8", b"us-ascii")
    ):
        raise form.strange
