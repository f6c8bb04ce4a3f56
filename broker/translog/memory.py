"""A log kept in memory: for tests, for the whole system in one process, and for a mirror that checks and
forgets.

It keeps the rules of `LogStorage` exactly. It has no transactions: `broker.translog.log.append` meets the one
refusal it can, a moved head, before it writes anything.
"""

from collections.abc import Iterable, Sequence

from broker.protocol.errors import Conflict
from broker.translog.storage import EMPTY_HEAD, Head, StoredLeaf


class MemoryStorage:
    """Implements `LogStorage` with a list of leaves and a dictionary of nodes."""

    def __init__(self) -> None:
        self._head = EMPTY_HEAD
        self._leaves: list[StoredLeaf] = []
        self._nodes: dict[tuple[int, int], bytes] = {}

    def head(self) -> Head:
        """See `LogStorage.head`."""
        return self._head

    def set_head(self, expected: Head, new: Head) -> None:
        """See `LogStorage.set_head`."""
        if self._head != expected:
            raise Conflict("The log grew meanwhile: read its head again and repeat the step.")
        self._head = new

    def append_leaves(self, start_index: int, leaves: Sequence[StoredLeaf]) -> None:
        """See `LogStorage.append_leaves`."""
        if start_index != len(self._leaves):
            raise Conflict("Leaves are stored one after the other, without a gap.")
        self._leaves.extend(leaves)

    def leaves(self, start: int, end: int) -> Iterable[bytes]:
        """See `LogStorage.leaves`."""
        return (stored.leaf for stored in self._leaves[start:end])

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """See `LogStorage.put_nodes`."""
        new = {(level, index): node for level, index, node in nodes}
        if any(key in self._nodes for key in new):
            raise Conflict("A subtree's hash is stored once and never changed.")
        self._nodes.update(new)

    def get_nodes(self, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """See `LogStorage.get_nodes`."""
        return {key: self._nodes[key] for key in keys if key in self._nodes}
