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
from clients.readers.mapping import ColumnMapping, guess_mapping
from clients.readers.ndjson_file import read_ndjson
from clients.readers.record import RecordedSignal, decode_record, encode_record
from clients.readers.signals import RefusedRow, Signal, grouped

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
    {".csv": read_csv, ".tsv": read_csv, ".txt": read_csv, ".ndjson": read_ndjson, ".jsonl": read_ndjson}
)


def read_file(
    path: Path, *, mapping: ColumnMapping | None = None, default_region: str | None = None
) -> Iterator[Signal | RefusedRow]:
    """Stream a file's signals with the reader of its ending. Raises BadInput for an ending without a
    reader."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise BadInput(
            f"There is no reader for files with this ending. Known are {', '.join(sorted(_READERS))}."
        )
    return reader(path, mapping=mapping, default_region=default_region)
