"""Files to signals: the readers' public names, and the choice of a reader by a file's ending.

Rule: every reader streams, and reports refused rows with line number and reason, never the value (SIGNALS 5).
The endings are written out here and do not depend on what was imported.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from broker.protocol.errors import BadInput
from clients.readers.csv_file import read_csv
from clients.readers.exchange.sniffing import read_comma_separated, read_json
from clients.readers.mapping import ColumnMapping, guess_mapping
from clients.readers.misp_file import read_misp
from clients.readers.ndjson_file import read_ndjson
from clients.readers.record import RecordedSignal, decode_record, encode_record
from clients.readers.signals import RefusedRow, Signal, grouped
from clients.readers.stix_file import read_stix

__all__ = [
    "ColumnMapping",
    "RecordedSignal",
    "RefusedRow",
    "Signal",
    "decode_record",
    "encode_record",
    "grouped",
    "guess_mapping",
    "read_csv",
    "read_file",
    "read_ndjson",
]


class Reader(Protocol):
    """What the reader of each format provides."""

    def __call__(
        self, path: Path, *, mapping: ColumnMapping | None = None, default_region: str | None = None
    ) -> Iterator[Signal | RefusedRow]: ...


_READERS: Mapping[str, Reader] = MappingProxyType(
    {
        ".csv": read_comma_separated,
        ".json": read_json,
        ".jsonl": read_ndjson,
        ".misp": read_misp,
        ".ndjson": read_ndjson,
        ".stix": read_stix,
        ".tsv": read_csv,
        ".txt": read_csv,
    }
)


def read_file(
    path: Path,
    *,
    mapping: ColumnMapping | None = None,
    default_region: str | None = None,
    only_asking: bool = False,
) -> Iterator[Signal | RefusedRow]:
    """Stream a file's signals with the reader of its ending.

    Args: `only_asking` when nothing of the file is handed on, as in a request: only then may what its author's marking
    forbids to share come along.
    Raises: BadInput for an ending without a reader.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise BadInput(
            f"There is no reader for files with this ending. Known are {', '.join(sorted(_READERS))}."
        )
    for item in reader(path, mapping=mapping, default_region=default_region):
        if isinstance(item, Signal) and item.forbidden is not None and not only_asking:
            yield RefusedRow(item.line, item.forbidden, unit=item.unit)
        else:
            yield item
