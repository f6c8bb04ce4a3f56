"""A deposit's masked records in one file of the home: sorted by token, so that row order links no two deposits.

Rule (DESIGN 2.3): records are sorted over the whole deposit before batching; the root is RFC 6962 over
`sealing.record_leaf` in that order. A record's size is fixed, so any run of them is found by its place alone, and an
upload that was killed goes on with the same bytes. Memory is constant, whatever the number of records: they come as
runs that are sorted each, and are merged as they are written.

It masks nothing: `clients.masking` does; and it keeps no runs: `clients.depositing.masking_runs` does.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from broker.protocol import merkle, sealing
from broker.protocol.errors import BadInput
from broker.protocol.messages.deposits import TOKEN_BYTES, decode_batch, record_bytes
from clients.vault import Vault

BATCH_BYTES = 4 * 1024 * 1024
_READ_BYTES = 32 * 1024


@dataclass(frozen=True)
class MaskedRecords:
    """A whole file of masked records: how many there are, and their root."""

    name: str
    size_class: int
    records: int
    root: bytes


def per_batch(size_class: int, batch_bytes: int | None = None) -> int:
    """Records in a batch of so many bytes, 4 MiB where none is named; at least one."""
    return max(1, (BATCH_BYTES if batch_bytes is None else batch_bytes) // record_bytes(size_class))


def merged_rows(runs: Iterable[Path], row_bytes: int) -> Iterator[bytes]:
    """The rows of files whose rows have one size, begin with a token, and are sorted in each; all of them in order.

    Memory: 32 KiB, or one row, for each file, of which none stays open."""
    return heapq.merge(*(_rows(run, row_bytes) for run in runs))


def write_merged(vault: Vault, name: str, runs: Iterable[Path], size_class: int) -> MaskedRecords:
    """Merge sorted runs of records, as on the wire, into a file of the home, durably.

    Raises BadInput when two bear one token: that is one identifier given twice.
    """
    frontier = merkle.Frontier()
    before = b""
    with vault.writing(name) as file:
        for row in merged_rows(runs, record_bytes(size_class)):
            if row[:TOKEN_BYTES] == before:
                raise BadInput(
                    "An identifier is in the deposit twice. Group its signals into one record first."
                )
            before = row[:TOKEN_BYTES]
            file.write(row)
            ((token, version, sealed),) = decode_batch(row, size_class)
            frontier.append(merkle.leaf_hash(sealing.record_leaf(token, sealed, version)))
    return MaskedRecords(name, size_class, frontier.size, frontier.root())


def batch(vault: Vault, masked: MaskedRecords, first: int, count: int) -> bytes:
    """The bytes of `count` records from record `first` on, from 0; fewer at the end."""
    size = record_bytes(masked.size_class)
    with vault.path(masked.name).open("rb") as file:
        file.seek(first * size)
        return file.read(count * size)


def remaining(vault: Vault, masked: MaskedRecords, first: int = 0) -> Iterator[bytes]:
    """The records from `first` on, in batches of at most 4 MiB."""
    step = per_batch(masked.size_class)
    for at in range(first, masked.records, step):
        yield batch(vault, masked, at, step)


def _rows(path: Path, row_bytes: int) -> Iterator[bytes]:
    step = max(1, _READ_BYTES // row_bytes) * row_bytes
    at = 0
    while True:
        # Opened for each block: a deposit may have more runs than a process may have open files.
        with path.open("rb") as file:
            file.seek(at)
            data = file.read(step)
        if not data:
            return
        for start in range(0, len(data), row_bytes):
            yield data[start : start + row_bytes]
        at += len(data)
