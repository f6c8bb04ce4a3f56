"""Derive a mirrored log again from its leaves: every leaf read, every node hashed, in memory that does not grow.

Rule: nothing is taken from the mirror but leaves. Each must be the canonical bytes of a known kind; what they come to
is returned, root by root, and compared by who asked. It reads bundle by bundle, since a full one is a complete subtree
of 256 leaves. One process does a million leaves in seconds (`python -m benchmarks.audit`), so there is no second one.

It fetches nothing and keeps nothing: see `clients.mirrors.mirroring`.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from broker.protocol import leaves, merkle
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.tiles import TILE_HEIGHT, TILE_WIDTH
from clients.mirrors.mirror import Mirror

_KINDS = frozenset(kind.value.encode() for kind in RecordKind)


@dataclass(frozen=True)
class BadLeaf:
    """The first leaf that is not what a leaf of this log should be, and why."""

    index: int
    reason: str


@dataclass(frozen=True)
class Rederived:
    """What the leaves come to: the root of each size asked about, entries by kind, and the first wrong leaf."""

    roots: Mapping[int, bytes]
    kinds: Mapping[str, int]
    first_bad: BadLeaf | None


def rederive(mirror: Mirror, size: int, also_at: Collection[int] = ()) -> Rederived:
    """Derive the root of the first `size` leaves, and of the smaller sizes in `also_at`.

    Raises VerificationFailed when a leaf is missing."""
    frontier, roots, kinds = merkle.Frontier(), dict[int, bytes](), Counter[bytes]()
    first_bad: BadLeaf | None = None
    for first in range(0, size + 1, TILE_WIDTH):
        found = mirror.bundle_leaves(first // TILE_WIDTH, min(TILE_WIDTH, size - first))
        hashes = [sha256(b"\x00" + leaf).digest() for leaf in found]
        for each in {*also_at, size}:
            if first <= each < first + TILE_WIDTH:
                roots[each] = _root(frontier, hashes[: each - first])
        if not _count(found, kinds):
            first_bad = first_bad or _first_bad(found, first)
        if len(hashes) == TILE_WIDTH:
            frontier.append_subtree(_subtree(hashes), TILE_HEIGHT)
    return Rederived(roots, {kind.decode(): number for kind, number in kinds.items()}, first_bad)


def _count(found: Sequence[bytes], kinds: Counter[bytes]) -> bool:
    """Count leaves by kind. False when one is malformed or of an unknown kind."""
    before = kinds.total()
    with suppress(VerificationFailed):
        kinds.update(map(leaves.leaf_kind, found))
    return kinds.total() - before == len(found) and kinds.keys() <= _KINDS


def _first_bad(found: Sequence[bytes], first: int) -> BadLeaf | None:
    for index, leaf in enumerate(found, first):
        try:
            if leaves.leaf_kind(leaf) not in _KINDS:
                return BadLeaf(index, "The entry is of a kind that is not known here.")
        except VerificationFailed as error:
            return BadLeaf(index, error.detail)
    return None


def _subtree(hashes: list[bytes]) -> bytes:
    """The root of a complete subtree."""
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


def _root(before: merkle.Frontier, hashes: Sequence[bytes]) -> bytes:
    """The root of the leaves before, and these."""
    frontier = merkle.Frontier(before.size, before.hashes)
    for each in hashes:
        frontier.append(each)
    return frontier.root()
