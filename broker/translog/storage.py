"""What a log needs of the database it is kept in.

The broker, a key holder and a witness each keep logs in a store of their own; `broker.translog.log` grows
any of them through this interface and knows no SQL. All calls of one append run inside one transaction that
the caller opens and commits, so that a log entry and what it records are durable together or not at all.

An implementation keeps two things: a row for each leaf by its index, and one head. A row holds the leaf and the hashes
of the complete subtrees that end with it, its own first: (level, index) covers the leaves from index * 2**level up to,
not including, (index + 1) * 2**level, and each such subtree ends with exactly one leaf. So a log grows by whole rows
that never change, and what a proof needs is found by the number of a leaf.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from broker.protocol.merkle import EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Head:
    """A log's number of leaves and its 32-byte root at that number."""

    size: int
    root: bytes


EMPTY_HEAD = Head(0, EMPTY_ROOT)
"""The head of a log before its first leaf; a new store answers this."""


class LogRow(NamedTuple):
    """One leaf as it is stored. A tuple, since one is made for each entry and goes to a driver as it is."""

    leaf_index: int
    leaf: bytes
    hashes: bytes
    """Of the complete subtrees that end with the leaf, one after the other, level 0 first; 32 bytes each."""


class LogStorage(Protocol):
    """One log in a store, within the caller's transaction."""

    def head(self) -> Head:
        """Returns the stored head, EMPTY_HEAD for a new log.

        Where several processes write, this locks the head until the transaction ends.
        """
        ...

    def grow(self, old: Head, new: Head, rows: Sequence[LogRow]) -> None:
        """Moves the head from `old` to `new` and stores the rows between the two. There is at least one.

        Raises Conflict, having changed nothing, unless the stored head is `old` and as many leaves are stored as
        it says.
        """
        ...

    def leaves(self, start: int, end: int) -> Iterable[bytes]:
        """Yields the bytes of leaves `start` up to, not including, `end`, in order; fewer if fewer are
        stored.
        """
        ...

    def rows(self, start: int, end: int) -> Iterable[LogRow]:
        """Yields the rows of leaves `start` up to, not including, `end`, in order; fewer if fewer are
        stored.
        """
        ...

    def hashes_at(self, indexes: Sequence[int]) -> Mapping[int, bytes]:
        """Returns the `hashes` of these leaves' rows. A leaf that is not stored is left out of the answer."""
        ...
