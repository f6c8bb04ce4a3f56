"""What a log needs of the database it is kept in.

The broker, a key holder and a witness each keep logs in a store of their own; `broker.translog.log` grows
any of them through this interface and knows no SQL. All calls of one append run inside one transaction that
the caller opens and commits, so that a log entry and what it records are durable together or not at all.

An implementation keeps three things: the leaves by index, the hashes of complete subtrees by (level, index),
and one head. A complete subtree (level, index) covers the leaves from index * 2**level up to, not including,
(index + 1) * 2**level; level 0 is the leaf hashes. `log.append` puts nodes of every level, 0 included, so
that `get_nodes` may be answered from the nodes alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from broker.protocol.merkle import EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Head:
    """A log's number of leaves and its 32-byte root at that number."""

    size: int
    root: bytes


EMPTY_HEAD = Head(0, EMPTY_ROOT)
"""The head of a log before its first leaf; a new store answers this."""


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """A leaf's bytes and their hash (RFC 6962 2.1), so that a leaf can be found by its hash."""

    leaf: bytes
    leaf_hash: bytes


class LogStorage(Protocol):
    """One log in a store, within the caller's transaction."""

    def head(self) -> Head:
        """Returns the stored head, EMPTY_HEAD for a new log.

        Where several processes write, this locks the head until the transaction ends.
        """
        ...

    def set_head(self, expected: Head, new: Head) -> None:
        """Replaces the head. Raises Conflict, and changes nothing, unless the stored head equals `expected`."""
        ...

    def append_leaves(self, start_index: int, leaves: Sequence[StoredLeaf]) -> None:
        """Stores leaves from `start_index` on. Raises Conflict if that is not the number of leaves stored."""
        ...

    def leaves(self, start: int, end: int) -> Iterable[bytes]:
        """Yields the bytes of leaves `start` up to, not including, `end`, in order; fewer if fewer are
        stored.
        """
        ...

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """Stores (level, index, hash) of subtrees that became complete. Raises Conflict for one already
        stored.
        """
        ...

    def get_nodes(self, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """Returns the stored hashes by (level, index). A key that is not stored is left out of the answer."""
        ...
