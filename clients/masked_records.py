"""A deposit's masked records in one file of the home: sorted by token, so that row order links no two deposits.

Rule (DESIGN 2.3): records are sorted over the whole deposit before batching; the root is RFC 6962 over
`sealing.record_leaf` in that order. A record's size is fixed, so a batch is found by its number alone, and an upload
that was killed goes on with the same bytes. Memory is bounded by the tokens (about 100 bytes a record), not by the
sealed records.

It masks nothing: `clients.masking` does.
"""

import struct
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from broker.protocol import merkle, sealing
from broker.protocol.errors import BadInput
from broker.protocol.messages.deposits import TOKEN_BYTES, Record, encode_batch, record_bytes
from clients.vault import Vault

BATCH_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class MaskedRecords:
    """A whole file of masked records: how many there are, and their root."""

    name: str
    size_class: int
    records: int
    root: bytes

    @property
    def batches(self) -> int:
        """How many batches the file makes."""
        return -(-self.records // per_batch(self.size_class))


def per_batch(size_class: int) -> int:
    """Records in a batch of at most 4 MiB."""
    return max(1, BATCH_BYTES // record_bytes(size_class))


def write_sorted(vault: Vault, name: str, records: Iterable[Record], size_class: int) -> MaskedRecords:
    """Sort records by token into a file of the home, durably.

    Raises BadInput when two bear one token: that is one identifier given twice.
    """
    size = record_bytes(size_class)
    # The unsorted copy holds nothing that the sorted one does not; it has no name and goes with the process.
    with tempfile.TemporaryFile(dir=vault.directory) as unsorted:
        places: list[tuple[bytes, int]] = []
        for place, record in enumerate(records):
            unsorted.write(encode_batch((record,)))
            places.append((record.token, place))
        places.sort()
        if any(places[i][0] == places[i + 1][0] for i in range(len(places) - 1)):
            raise BadInput("An identifier is in the deposit twice. Group its signals into one record first.")
        with vault.writing(name) as file:
            leaves = (_copied(unsorted, file, place * size, size) for _, place in places)
            root = merkle.root_of(leaves)
    return MaskedRecords(name, size_class, len(places), root)


def batch(vault: Vault, masked: MaskedRecords, number: int) -> bytes:
    """The bytes of one batch, from 0; the same at every call."""
    length = per_batch(masked.size_class) * record_bytes(masked.size_class)
    with vault.path(masked.name).open("rb") as file:
        file.seek(number * length)
        return file.read(length)


def remaining(vault: Vault, masked: MaskedRecords, next_batch: int) -> Iterator[tuple[int, bytes]]:
    """The batches from `next_batch` on, with their numbers."""
    for number in range(next_batch, masked.batches):
        yield number, batch(vault, masked, number)


def _copied(source: BinaryIO, target: BinaryIO, start: int, size: int) -> bytes:
    """Copy one record and return its leaf's hash."""
    source.seek(start)
    data = source.read(size)
    target.write(data)
    token, sealed = data[:TOKEN_BYTES], data[TOKEN_BYTES + 4 :]
    (version,) = struct.unpack_from(">I", data, TOKEN_BYTES)
    return merkle.leaf_hash(sealing.record_leaf(token, sealed, version))
