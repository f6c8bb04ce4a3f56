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


class LogStorage(Protocol):
    """One log in a store, within the caller's transaction."""

    def head(self) -> Head:
        """Returns the stored head, EMPTY_HEAD for a new log.

        Where several processes write, this locks the head until the transaction ends.
        """
        ...

    def grow(
        self, old: Head, new: Head, leaves: Sequence[bytes], nodes: Sequence[tuple[int, int, bytes]]
    ) -> None:
        """Moves the head from `old` to `new`, stores the leaves between the two and the (level, index, hash)
        of each subtree that they complete. There is at least one leaf.

        Raises Conflict, having changed nothing, unless the stored head is `old` and as many leaves are stored as
        it says. Raises Conflict, and the caller rolls back, if one of the nodes is stored already: what is stored
        never changes.
        """
        ...

    def leaves(self, start: int, end: int) -> Iterable[bytes]:
        """Yields the bytes of leaves `start` up to, not including, `end`, in order; fewer if fewer are
        stored.
        """
        ...

    def hashes(self, level: int, start: int, end: int) -> Iterable[bytes]:
        """Yields the stored hashes of one level from index `start` up to, not including, `end`, in order;
        fewer if fewer are stored.
        """
        ...

    def get_nodes(self, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """Returns the stored hashes by (level, index). A key that is not stored is left out of the answer."""
        ...
