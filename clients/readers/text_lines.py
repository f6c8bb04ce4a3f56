"""The lines of a text file, one at a time, with a bound on each.

Rule: how the file is encoded is settled first (`clients.readers.encoding`); later a line that is not so encoded, or is
longer than the bound, is refused by itself. Memory is bounded by one line whatever the file's size, and what has no
line break for a long time, or nothing but line breaks, is not read to its end.

It knows neither CSV nor JSON.
"""

import io
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from broker.protocol.errors import BadInput
from clients.readers.encoding import Encoding, settle_encoding
from clients.readers.input_file import opened
from clients.readers.signals import RefusedRow

MAXIMUM_LINE_BYTES = 256 * 1024
MAXIMUM_SKIPPED_BYTES = 256 * 1024 * 1024
MAXIMUM_EMPTY_LINES = 1_000_000
_SAMPLE_BYTES = 64 * 1024
_PACKED = (b"PK\x03\x04", b"%PDF", b"PAR1", b"\x1f\x8b", b"SQLite format 3\0")


@dataclass(frozen=True)
class TextLine:
    """One physical line without its ending, and its number from 1."""

    number: int
    text: str


def text_lines(path: Path, encoding: str | None = None) -> Generator[TextLine | RefusedRow]:
    """The lines of a file.

    Args: `encoding` as the person declares it; None to go by the file's mark, else UTF-8.
    Raises: BadInput, at the first step, if the file cannot be opened or its encoding is open; later if it proves to be
    no text, or was changed while it was read.
    """
    with opened(path) as file:
        settled = _checked(file, encoding)
        empty = 0
        for line in _wide_lines(file, settled) if settled.two_bytes else _lines(file, settled):
            yield line
            if isinstance(line, RefusedRow) or line.text:
                empty = 0
                continue
            empty += 1
            if empty > MAXIMUM_EMPTY_LINES:
                raise BadInput(
                    f"From line {line.number - empty + 1} on there are only empty lines. Cut them off the file."
                )


def _checked(file: BinaryIO, declared: str | None) -> Encoding:
    sample = file.read(_SAMPLE_BYTES)
    if sample.startswith(_PACKED):
        raise BadInput(
            "The file's name says that it is text, but it is a workbook, an archive or another packed file. Give it "
            "its right ending (.xlsx, .ods, .parquet), or unpack or export it first."
        )
    settled = settle_encoding(sample, declared)
    if b"\r" in sample and b"\n" not in sample:
        raise BadInput(
            "The file's lines end as on early Macintoshes. Save it with line endings of Windows or Unix."
        )
    file.seek(settled.mark_bytes)
    return settled


def _lines(file: BinaryIO, encoding: Encoding) -> Iterator[TextLine | RefusedRow]:
    """Lines of an encoding in which the byte 0A is a line break and nothing else."""
    number = 0
    while data := file.readline(MAXIMUM_LINE_BYTES):
        number += 1
        if not data.endswith(b"\n") and len(data) >= MAXIMUM_LINE_BYTES:
            skipped = len(data)
            while data and not data.endswith(b"\n"):
                data = file.readline(MAXIMUM_LINE_BYTES)
                skipped = _skip(skipped, len(data), number)
            yield _too_long(number)
            continue
        try:
            yield TextLine(number, data.decode(encoding.codec).removesuffix("\n").removesuffix("\r"))
        except UnicodeDecodeError:
            yield RefusedRow(number, _not_encoded(encoding), damaged=True)


def _wide_lines(file: BinaryIO, encoding: Encoding) -> Iterator[TextLine | RefusedRow]:
    """Lines of UTF-16. Half a character gets through as such, and costs its own row later."""
    text = io.TextIOWrapper(file, encoding.codec, errors="surrogatepass", newline="\n")
    bound, number = MAXIMUM_LINE_BYTES // 2, 0
    try:
        while line := text.readline(bound):
            number += 1
            if not line.endswith("\n") and len(line) >= bound:
                skipped = len(line)
                while line and not line.endswith("\n"):
                    line = text.readline(bound)
                    skipped = _skip(skipped, 2 * len(line), number)
                yield _too_long(number)
                continue
            yield TextLine(number, line.removesuffix("\n").removesuffix("\r"))
    except UnicodeDecodeError:
        yield RefusedRow(
            number + 1, "The file ends within a character: its end is missing. Export it again.", damaged=True
        )
    finally:
        text.detach()


def _skip(skipped: int, more: int, number: int) -> int:
    if skipped > MAXIMUM_SKIPPED_BYTES:
        raise BadInput(
            f"From line {number} on there is no line break within {MAXIMUM_SKIPPED_BYTES // 1024**2} MB: this is not a "
            "file of text lines. Check that it is the right one, and export it again."
        )
    return skipped + more


def _too_long(number: int) -> RefusedRow:
    return RefusedRow(number, f"The line is longer than {MAXIMUM_LINE_BYTES:,} bytes.", damaged=True)


def _not_encoded(encoding: Encoding) -> str:
    if encoding.name == "utf-8":
        return (
            "The line is not UTF-8. If all of the file is encoded otherwise, name the encoding: --encoding."
        )
    return f"The line is not {encoding.name.capitalize()}. Check --encoding."
