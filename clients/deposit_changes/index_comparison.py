"""What changed between tonight's file and what is deposited: two lists in one order, gone through side by side.

Rule (decision 0036): both are in order of the salted hash, so each is read once from beginning to end, in constant
memory, and nothing is masked to find out. It changes nothing: see `clients.deposit_changes.file_changes` and
`clients.deposit_changes.syncing`.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clients.depositing.deposit_index import KEY_BYTES, IndexRow, content_digest, reference_digest
from clients.depositing.masked_deposit import Row


@dataclass(frozen=True)
class Place:
    """Where an identifier is deposited."""

    deposit_id: bytes
    token: bytes
    key: bytes
    """The beginning of its salted hash."""


@dataclass(frozen=True)
class Difference:
    """One identifier that differs: new (it has no place), gone (it has no row), or (it has both) of other content, or,
    where there is no content, called otherwise."""

    row: Row | None
    place: Place | None


def compare(
    rows: Iterable[Row], indexes: Iterable[tuple[bytes, Iterable[IndexRow]]], *, with_payload: bool
) -> Iterator[Difference]:
    """The differences, in order of the hashes.

    Args:
        rows: the identifiers as they are to be, once each.
        indexes: what is deposited now, by deposit_id. One that is deposited twice differs as often.
        with_payload: whether records have content that may differ; else what they are called here may.
    """
    deposited = heapq.merge(*(_placed(deposit_id, index) for deposit_id, index in indexes))
    current = next(deposited, None)
    for row in rows:
        key = row.salted_hash[:KEY_BYTES]
        while current is not None and current[0] < key:
            yield Difference(None, Place(current[1], current[2], current[0]))
            current = next(deposited, None)
        if current is None or current[0] != key:
            yield Difference(row, None)
            continue
        content = content_digest(row.plaintext) if with_payload else reference_digest(row.reference)
        while current is not None and current[0] == key:
            if current[3] != content:
                yield Difference(row, Place(current[1], current[2], current[0]))
            current = next(deposited, None)
    while current is not None:
        yield Difference(None, Place(current[1], current[2], current[0]))
        current = next(deposited, None)


def _placed(deposit_id: bytes, index: Iterable[IndexRow]) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
    for row in index:
        yield row.key, deposit_id, row.token, row.content
