"""A log kept in memory: for tests, for the whole system in one process, and for a mirror that checks and
forgets.

It keeps the rules of `LogStorage` exactly. It has no transactions: `broker.translog.log.append` meets the one
refusal it can, a moved head, before it writes anything.
"""

from collections.abc import Iterable, Sequence

from broker.protocol.errors import Conflict
from broker.translog.storage import EMPTY_HEAD, Head


class MemoryStorage:
    """Implements `LogStorage` with a list of leaves and a dictionary of nodes."""

    def __init__(self) -> None:
        self._head = EMPTY_HEAD
        self._leaves: list[bytes] = []
        self._nodes: dict[tuple[int, int], bytes] = {}

    def head(self) -> Head:
        """See `LogStorage.head`."""
        return self._head

    def grow(
        self, old: Head, new: Head, leaves: Sequence[bytes], nodes: Sequence[tuple[int, int, bytes]]
    ) -> None:
        """See `LogStorage.grow`. A refused call changes nothing."""
        if self._head != old:
            raise Conflict("The log grew meanwhile: read its head again and repeat the step.")
        if len(self._leaves) != old.size:
            raise Conflict("Leaves are stored one after the other, without a gap.")
        added = {(level, index): node for level, index, node in nodes}
        if any(key in self._nodes for key in added):
            raise Conflict("A subtree's hash is stored once and never changed.")
        self._head = new
        self._leaves.extend(leaves)
        self._nodes.update(added)

    def leaves(self, start: int, end: int) -> Iterable[bytes]:
        """See `LogStorage.leaves`."""
        return iter(self._leaves[start:end])

    def hashes(self, level: int, start: int, end: int) -> Iterable[bytes]:
        """See `LogStorage.hashes`."""
        keys = ((level, index) for index in range(start, end))
        return (self._nodes[key] for key in keys if key in self._nodes)

    def get_nodes(self, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """See `LogStorage.get_nodes`."""
        return {key: self._nodes[key] for key in keys if key in self._nodes}
