"""Merkle tree hashing and proof checking: RFC 6962 2.1, RFC 9162 2.1.3 and 2.1.4, with SHA-256.

A leaf is hashed as SHA-256(0x00 || data), an inner node as SHA-256(0x01 || left || right); the prefixes keep
a leaf from passing for a node. Used for the log, for a deposit's records and for a request's batch of
points.

This is the verifying side: pure, and it knows nothing of who stored the tree or how. Growing a stored log is
`broker.translog`. A consistency proof from size 0 is refused: an empty tree is a prefix of every tree, so it
proves nothing, and a witness that meets a log for the first time handles that apart.
"""

import hashlib
from collections.abc import Iterable, Sequence

from broker.protocol.errors import BadInput, VerificationFailed

HASH_BYTES = 32
SIZE_BYTES = 8
MAX_SIZE = 2**63 - 1

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves (RFC 9162 2.1.1)."""


def leaf_hash(data: bytes) -> bytes:
    """Returns the 32-byte hash of one leaf's bytes: SHA-256(0x00 || data) (RFC 9162 2.1.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the 32-byte hash of two subtrees' hashes: SHA-256(0x01 || left || right) (RFC 9162 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: the hashes of its complete subtrees, largest first. Also called a compact
    range.

    At most 63 hashes stand for any number of leaves, so a root can be carried on from batch to batch. One
    subtree stands for each bit that is set in `size`.
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Takes the number of leaves and the subtree hashes, largest first. Raises BadInput if the two do
        not fit.
        """
        if not 0 <= size <= MAX_SIZE or len(hashes) != size.bit_count():
            raise BadInput("A tree's frontier needs one hash for each bit set in its size.")
        if any(len(each) != HASH_BYTES for each in hashes):
            raise BadInput("Every hash of a tree's frontier is 32 bytes.")
        self._size = size
        self._hashes = list(hashes)

    @property
    def size(self) -> int:
        """The number of leaves appended so far."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The hashes of the complete subtrees, largest first; one for each bit set in `size`."""
        return tuple(self._hashes)

    def append(self, leaf_hash: bytes) -> tuple[bytes, ...]:
        """Adds one leaf by its hash and returns the hashes of the subtrees it completes, the leaf's own
        first.

        The hash at position `level` is that of the complete subtree of 2**level leaves whose index at that
        level is `(size before the call) >> level`. Raises BadInput unless the hash is 32 bytes.
        """
        return self.append_subtree(leaf_hash, 0)

    def append_subtree(self, root: bytes, level: int) -> tuple[bytes, ...]:
        """Adds a complete subtree of 2**level leaves by its root and returns the hashes of the subtrees it
        completes, its own first.

        Raises BadInput unless the hash is 32 bytes and the tree so far is made of whole subtrees of that level.
        """
        if len(root) != HASH_BYTES:
            raise BadInput("A leaf hash is 32 bytes.")
        if self._size & ((1 << level) - 1):
            raise BadInput("A subtree is added where the tree so far is made of whole ones of its size.")
        completed = [root]
        # Two neighbours of one level become their parent, as a carry runs through a binary counter.
        index = self._size >> level
        while index & 1:
            completed.append(node_hash(self._hashes.pop(), completed[-1]))
            index >>= 1
        self._hashes.append(completed[-1])
        self._size += 1 << level
        return tuple(completed)

    def root(self) -> bytes:
        """Returns the 32-byte root of the leaves so far, EMPTY_ROOT if there are none."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = node_hash(left, root)
        return root

    def to_bytes(self) -> bytes:
        """Returns the size as 8 big-endian bytes and then the hashes, largest subtree first."""
        return self._size.to_bytes(SIZE_BYTES, "big") + b"".join(self._hashes)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frontier":
        """Reads what `to_bytes` wrote. Raises BadInput for any other bytes."""
        size, hashes = int.from_bytes(data[:SIZE_BYTES], "big"), data[SIZE_BYTES:]
        if len(data) < SIZE_BYTES or len(hashes) % HASH_BYTES:
            raise BadInput("These bytes are not a tree's frontier: store again what the tree wrote.")
        return cls(size, [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)])


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """Returns the root over the leaf hashes in their order, in constant memory. Raises as `Frontier.append`
    does.
    """
    frontier = Frontier()
    for each in leaf_hashes:
        frontier.append(each)
    return frontier.root()


def inclusion_path(leaf_hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Returns the inclusion path of one leaf in a list held in memory, nearest sibling first (RFC 9162
    2.1.3.1).

    Raises BadInput if the index is outside the list.
    """
    if not 0 <= index < len(leaf_hashes):
        raise BadInput("There is no leaf at this index: ask for one below the number of leaves.")
    level, path = list(leaf_hashes), []
    while len(level) > 1:
        if (sibling := index ^ 1) < len(level):
            path.append(level[sibling])
        # A last subtree without a neighbour moves up as it is.
        parents = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = parents + level[len(level) & ~1 :]
        index >>= 1
    return tuple(path)


def root_from_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Returns the root that the inclusion proof leads to (RFC 9162 2.1.3.2, steps 1 to 4 and the check of
    sn).

    Raises VerificationFailed if index, size and proof do not fit each other. The caller must still compare
    the root with one it trusts: `verify_inclusion` does both.
    """
    if not 0 <= index < size:
        raise VerificationFailed("The inclusion proof is for an index outside the tree.")
    _check_lengths((leaf_hash, *proof))
    first, last = index, size - 1  # fn and sn of the RFC
    root = leaf_hash
    for sibling in proof:
        if last == 0:
            raise VerificationFailed("The inclusion proof is longer than the tree is high.")
        if first & 1 or first == last:
            root = node_hash(sibling, root)
            while first and not first & 1:  # step 4.b.ii: levels at which this subtree had no neighbour
                first, last = first >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        first, last = first >> 1, last >> 1
    if last:
        raise VerificationFailed("The inclusion proof is shorter than the tree is high.")
    return root


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Checks that the leaf stands at `index` in the tree of `size` leaves under `root` (RFC 9162 2.1.3.2).

    Raises VerificationFailed otherwise.
    """
    if root_from_inclusion(leaf_hash, index, size, proof) != root:
        raise VerificationFailed("The inclusion proof does not lead to this root.")


def verify_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Checks that the first `old_size` leaves under `new_root` are those under `old_root` (RFC 9162 2.1.4.2).

    Raises VerificationFailed otherwise, and always when `old_size` is 0.
    """
    if old_size < 1 or old_size > new_size:
        raise VerificationFailed("Consistency is proved from a tree with leaves to one at least as large.")
    if old_size == new_size:
        if proof or old_root != new_root:
            raise VerificationFailed("Two trees of one size have the same root and need no proof.")
        return
    _check_lengths((*proof, old_root, new_root))
    if not proof:
        raise VerificationFailed("The consistency proof is missing.")
    # Step 2: if the old tree is one complete subtree, its root opens the path.
    path = [old_root, *proof] if old_size.bit_count() == 1 else list(proof)
    first, last = old_size - 1, new_size - 1  # fn and sn of the RFC
    while first & 1:
        first, last = first >> 1, last >> 1
    old, new = path[0], path[0]  # fr and sr of the RFC
    for sibling in path[1:]:
        if last == 0:
            raise VerificationFailed("The consistency proof is longer than the tree is high.")
        if first & 1 or first == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while first and not first & 1:  # step 6.b.ii
                first, last = first >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        first, last = first >> 1, last >> 1
    if last or old != old_root or new != new_root:
        raise VerificationFailed("The consistency proof does not connect these two roots.")


def _check_lengths(hashes: Iterable[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise VerificationFailed("A hash of the proof is not 32 bytes.")
