"""Lists of hashes as ThreatExchange's command line writes them: CSV with a fixed header.

Rule: the header is `collab,signal_type,signal_str,category,tags`, and any file whose header has signal_type and
signal_str is taken for one. Types of signals that are not compared here (TMK video hashes, text) are refused by line.
Source: facebook/ThreatExchange, python-threatexchange.

It fetches nothing. Older lists without a header do not say of what type a hash is, and 64 hexadecimal digits may be a
PDQ hash or a SHA-256, so they go the way of any CSV, which needs a header.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from broker.protocol.errors import BadInput
from clients.readers.exchange import elements
from clients.readers.exchange.stix_patterns import Named
from clients.readers.mapping import ColumnMapping
from clients.readers.signals import RefusedRow, Signal
from clients.readers.table import checked_region
from clients.readers.text_lines import text_lines

_KIND, _VALUE = "signal_type", "signal_str"
_FACTS = ("collab", "category", "tags")
_TYPES = {
    "pdq": "pdq",
    "hash_pdq": "pdq",
    "md5": "file_hash",
    "hash_md5": "file_hash",
    "photo_md5": "file_hash",
    "video_md5": "file_hash",
    "hash_video_md5": "file_hash",
    "sha1": "file_hash",
    "hash_sha1": "file_hash",
    "sha256": "file_hash",
    "hash_sha256": "file_hash",
    "photodna": "photodna",
    "pdna": "photodna",
    "hash_photodna": "photodna",
    "url": "url",
    "uri": "url",
}
_MALFORMED = (
    "The row is not written as CSV: its quotation marks or its number of columns do not fit the first line."
)


def is_threatexchange(path: Path) -> bool:
    """Whether the first line of a file is such a header. Raises BadInput if the file cannot be opened."""
    try:
        with path.open("rb") as file:
            first = file.readline(4096).decode("utf-8-sig", "replace")
    except OSError as error:
        raise BadInput(f"The file cannot be read: {(error.strerror or 'unknown fault').lower()}.") from None
    return {_KIND, _VALUE} <= set(_cells(first.strip()) or ())


def read_threatexchange(
    path: Path, *, mapping: ColumnMapping | None = None, default_region: str | None = None
) -> Iterator[Signal | RefusedRow]:
    """Stream the signals of a ThreatExchange list.

    Args: `mapping` must be None, since the columns are fixed; `default_region` is not used.
    Raises: BadInput, at the first step, if the header is not such a list's.
    """
    if mapping is not None:
        raise BadInput("A ThreatExchange list has fixed columns, so it takes no mapping.")
    checked_region(default_region)
    header: list[str] = []
    for line in text_lines(path):
        if isinstance(line, RefusedRow):
            yield line
            continue
        cells = _cells(line.text)
        if not header:
            header = cells or []
            if not {_KIND, _VALUE} <= set(header):
                raise BadInput(
                    "The first line has no columns signal_type and signal_str: this is no such list."
                )
        elif cells is None or len(cells) != len(header):
            if line.text.strip():
                yield RefusedRow(line.number, _MALFORMED)
        else:
            yield from _signals(line.number, header, cells)


def _signals(number: int, header: Sequence[str], cells: Sequence[str]) -> Iterator[Signal | RefusedRow]:
    row = dict(zip(header, cells, strict=True))
    kind = _TYPES.get(row[_KIND].strip().lower())
    if kind is None:
        yield RefusedRow(number, "Signals of this type are not compared here.")
        return
    facts = {name: row.get(name) for name in _FACTS}
    yield from elements.signals(
        number, "line", row[_KIND].strip().lower(), [Named(kind, row[_VALUE])], facts, None, None
    )


def _cells(text: str) -> list[str] | None:
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        return None
    return [cell.strip() for cell in rows[0]] if rows else []
