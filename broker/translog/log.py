"""Growing a stored log and proving things about it (RFC 6962 2.1, RFC 9162 2.1.3.1 and 2.1.4.1).

Every function works within the caller's transaction. A log only grows: there is no call that changes or
removes a leaf. What a leaf means is `broker.protocol.leaves`; signing the head is
`broker.protocol.checkpoint`; checking the whole stored log against itself is `broker.translog.verify`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.merkle import EMPTY_ROOT, Frontier, leaf_hash
from broker.translog.storage import Head, LogRow, LogStorage
from broker.translog.subtrees import Range, fetch, hashes_of, split_point, subtrees_of


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a log at one head: the hashes of its complete subtrees, largest first.

    Made by `append` alone, which checked them against the head's root or grew them from such.
    """

    head: Head
    hashes: tuple[bytes, ...]

    @property
    def path_of_next(self) -> tuple[bytes, ...]:
        """The inclusion path of the leaf that is appended next, in the tree that ends with it: each subtree
        that is complete now stands to its left.
        """
        return self.hashes[::-1]


@dataclass(slots=True)
class KeptEdge:
    """The edge that an `append` left, at hand for the next.

    A root commits to the edge below it, so an edge is that of any log with its very head, whatever became of
    the transaction that it came from, and with another head it is not used.
    """

    edge: Edge | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """Where the first of the appended leaves stands, and the log's edge before and after them."""

    first_index: int
    before: Edge
    after: Edge

    @property
    def head(self) -> Head:
        """The head once the leaves are in."""
        return self.after.head


def append(storage: LogStorage, leaves: Sequence[bytes], kept: KeptEdge | None = None) -> Appended:
    """Appends leaves in their order. Nothing is durable until the caller's transaction is.

    Args:
        kept: where the last append left its edge. If that is the stored head's, no node is read; this one
            leaves its own there.

    Raises Conflict if the head moved meanwhile: roll back and try again. Raises VerificationFailed if the
    stored nodes do not give the stored head: the store is damaged, and the process must stop serving.
    """
    head = storage.head()
    # Looked at only now that the head is locked: whoever held it until now left the edge that fits.
    known = None if kept is None else kept.edge
    before = known if known is not None and known.head == head else _read_edge(storage, head)
    frontier = Frontier(head.size, before.hashes)
    rows = [
        LogRow(index, leaf, b"".join(frontier.append(leaf_hash(leaf))))
        for index, leaf in enumerate(leaves, head.size)
    ]
    after = Edge(Head(frontier.size, frontier.root()), frontier.hashes) if leaves else before
    if leaves:
        storage.grow(head, after.head, rows)
    if kept is not None:
        kept.edge = after
    return Appended(head.size, before, after)


def _read_edge(storage: LogStorage, head: Head) -> Edge:
    keys = subtrees_of(0, head.size)
    nodes = fetch(storage, keys)
    edge = Edge(head, tuple(nodes[key] for key in keys))
    if Frontier(head.size, edge.hashes).root() != head.root:
        raise VerificationFailed("The stored log is damaged: its nodes do not give its root.")
    return edge


def root_at(storage: LogStorage, size: int) -> bytes:
    """Returns the root the log had at `size` leaves. Raises BadInput if it has not grown that far."""
    _check_size(storage, size)
    return hashes_of(storage, [(0, size)])[0] if size else EMPTY_ROOT


def inclusion_proof(storage: LogStorage, index: int, size: int) -> tuple[bytes, ...]:
    """Returns the inclusion path of a leaf in the tree of the first `size` leaves, nearest sibling first.

    Raises BadInput unless index < size and the log has grown to that size.
    """
    _check_size(storage, size)
    if not 0 <= index < size:
        raise BadInput("There is no leaf at this index in a tree of this size.")
    siblings: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        split = split_point(start, end)
        if index < split:
            siblings.append((split, end))
            end = split
        else:
            siblings.append((start, split))
            start = split
    return hashes_of(storage, reversed(siblings))


def consistency_proof(storage: LogStorage, old_size: int, new_size: int) -> tuple[bytes, ...]:
    """Returns the proof that the tree of `new_size` leaves begins with that of `old_size` (RFC 9162 2.1.4.1).

    Between equal sizes, and from size 0, the proof is empty. `verify_consistency` accepts the first and
    refuses the second: a tree without leaves is the beginning of every tree, and a witness takes its first
    checkpoint on trust.

    Raises BadInput unless old_size <= new_size and the log has grown to that size.
    """
    _check_size(storage, new_size)
    if not 0 <= old_size <= new_size:
        raise BadInput("Consistency is proved from a smaller tree to a larger one.")
    if old_size in (0, new_size):
        return ()
    parts: list[Range] = []
    start, end = 0, new_size
    # SUBPROOF of the RFC: descend to where the old tree ends, noting what lies beside the way.
    while end != old_size:
        split = split_point(start, end)
        if old_size <= split:
            parts.append((split, end))
            end = split
        else:
            parts.append((start, split))
            start = split
    # The verifier knows the old tree's root, so it is left out where it is itself the subtree reached.
    if start:
        parts.append((start, end))
    return hashes_of(storage, reversed(parts))


def _check_size(storage: LogStorage, size: int) -> None:
    if not 0 <= size <= storage.head().size:
        raise BadInput("The log has not grown to this size: ask for one up to its latest checkpoint's.")
