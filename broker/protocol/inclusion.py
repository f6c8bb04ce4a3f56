"""Inclusion paths of a few leaves out of a tree that is walked once and never held (RFC 9162 2.1.3.1).

Rule: what stands left of a leaf is the frontier at the moment it comes; what stands right of it is caught as its
subtree completes; only the last, ragged subtree is put together at the end. So memory is some 64 hashes a watched
leaf, whatever the size of the tree. The paths are those of `merkle.inclusion_path`; `merkle.verify_inclusion` checks
them.
"""

from collections.abc import Sequence

from broker.protocol.merkle import Frontier, node_hash

_LEVELS = 63


class InclusionWalk:
    """Append every leaf of a tree in order, then ask for the paths of those that were watched."""

    def __init__(self) -> None:
        self.frontier = Frontier()
        """The tree so far; its root is what the paths lead to."""
        self._left: dict[int, dict[int, bytes]] = {}
        # Right siblings of watched leaves by (level, index at that level), empty until they complete.
        self._right: dict[tuple[int, int], bytes] = {}

    def append(self, leaf_hash: bytes, *, watch: bool = False) -> None:
        """Add one leaf by its hash; `watch` it to be given its path. Raises BadInput unless it is 32 bytes."""
        index = self.frontier.size
        if watch:
            self._left[index] = dict(zip(_levels(index), self.frontier.hashes, strict=True))
            for level in range(_LEVELS):
                if not index >> level & 1:
                    self._right.setdefault((level, (index >> level) + 1), b"")
        for level, completed in enumerate(self.frontier.append(leaf_hash)):
            if (level, index >> level) in self._right:
                self._right[level, index >> level] = completed

    def paths(self) -> dict[int, tuple[bytes, ...]]:
        """The path of each watched leaf by its index, nearest sibling first."""
        return {index: tuple(self._path(index, left)) for index, left in self._left.items()}

    def _path(self, index: int, left: dict[int, bytes]) -> Sequence[bytes]:
        size, path = self.frontier.size, []
        for level in range((size - 1).bit_length()):
            sibling = (index >> level) ^ 1
            if level in left:
                path.append(left[level])
            elif (sibling + 1) << level <= size:
                path.append(self._right[level, sibling])
            elif sibling << level < size:
                path.append(self._ragged(sibling << level))
            # Else there is no neighbour, and the subtree moves up as it is.
        return path

    def _ragged(self, start: int) -> bytes:
        """The hash over all leaves from `start` to the end, where a complete subtree begins."""
        at, hashes = 0, []
        for level, each in zip(_levels(self.frontier.size), self.frontier.hashes, strict=True):
            if at >= start:
                hashes.append(each)
            at += 1 << level
        root = hashes[-1]
        for each in reversed(hashes[:-1]):
            root = node_hash(each, root)
        return root


def _levels(size: int) -> list[int]:
    """The levels of a frontier's hashes, largest subtree first: the bits set in its size."""
    return [level for level in reversed(range(size.bit_length())) if size >> level & 1]
