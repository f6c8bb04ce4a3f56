"""The lines of a UTF-8 file, one at a time, with a bound on each.

Rule: a file that does not start as UTF-8 is refused as a whole, with advice; later a line that is not UTF-8,
or longer than the bound, is refused by itself. Memory is bounded by one line whatever the file's size.

It knows neither CSV nor JSON.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from broker.protocol.errors import BadInput
from clients.readers.signals import RefusedRow

MAXIMUM_LINE_BYTES = 64 * 1024
_SAMPLE_BYTES = 64 * 1024


@dataclass(frozen=True)
class TextLine:
    """One physical line without its ending, and its number from 1."""

    number: int
    text: str


def text_lines(path: Path) -> Iterator[TextLine | RefusedRow]:
    """The lines of a file. Raises BadInput, at the first step, if it cannot be opened or is not UTF-8."""
    try:
        with path.open("rb") as file:
            _check_encoding(file)
            yield from _lines(file)
    except OSError as error:
        raise BadInput(f"The file cannot be read: {(error.strerror or 'unknown fault').lower()}.") from None


def _check_encoding(file: BinaryIO) -> None:
    sample = file.read(_SAMPLE_BYTES)
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BadInput('The file is UTF-16 ("Unicode text"). Save it as "CSV UTF-8" and read it again.')
    try:
        # Not final: the sample may end within a character.
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=False)
    except UnicodeDecodeError as error:
        line = sample[: error.start].count(b"\n") + 1
        raise BadInput(
            f"The file is not UTF-8 (first seen on line {line}), perhaps Windows-1252. "
            'Save it as "CSV UTF-8" and read it again.'
        ) from None
    if b"\r" in sample and b"\n" not in sample:
        raise BadInput(
            "The file's lines end as on early Macintoshes. Save it with line endings of Windows or Unix."
        )
    file.seek(len(codecs.BOM_UTF8) if sample.startswith(codecs.BOM_UTF8) else 0)


def _lines(file: BinaryIO) -> Iterator[TextLine | RefusedRow]:
    number = 0
    while data := file.readline(MAXIMUM_LINE_BYTES):
        number += 1
        if not data.endswith(b"\n") and len(data) >= MAXIMUM_LINE_BYTES:
            while data and not data.endswith(b"\n"):
                data = file.readline(MAXIMUM_LINE_BYTES)
            yield RefusedRow(number, f"The line is longer than {MAXIMUM_LINE_BYTES:,} bytes.")
            continue
        try:
            yield TextLine(number, data.decode("utf-8").removesuffix("\n").removesuffix("\r"))
        except UnicodeDecodeError:
            yield RefusedRow(number, "The line is not UTF-8.")
