"""Which complete subtrees make up a range of a log's leaves, and the hash of such a range.

RFC 6962 splits a tree of n leaves at the largest power of two below n. So each range that a root or proof
needs starts at a multiple of a power of two no smaller than its length, and is a row of complete subtrees,
ever smaller, whose hashes are stored. Their keys are gathered first and fetched in one call: a proof costs
one query.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from broker.protocol.errors import VerificationFailed
from broker.protocol.merkle import HASH_BYTES, node_hash
from broker.translog.storage import LogStorage

Range = tuple[int, int]
"""Leaves from the first number up to, not including, the second."""

Key = tuple[int, int]
"""(level, index) of a complete subtree."""


def split_point(start: int, end: int) -> int:
    """Returns where RFC 6962 2.1 splits a range of at least two leaves: after the largest power of two below
    n.
    """
    return start + (1 << ((end - start - 1).bit_length() - 1))


def subtrees_of(start: int, end: int) -> list[Key]:
    """Returns the keys of the complete subtrees that make up the range, largest first."""
    keys = []
    while start < end:
        level = (end - start).bit_length() - 1
        keys.append((level, start >> level))
        start += 1 << level
    return keys


def fetch(storage: LogStorage, keys: Sequence[Key]) -> Mapping[Key, bytes]:
    """Returns the stored hashes of all keys. Raises VerificationFailed, naming the first that is not stored."""
    stored = storage.hashes_at(sorted({_last_leaf(key) for key in keys}))
    found: dict[Key, bytes] = {}
    for key in keys:
        level, index = key
        node = stored.get(_last_leaf(key), b"")[HASH_BYTES * level : HASH_BYTES * (level + 1)]
        if len(node) != HASH_BYTES:
            raise VerificationFailed(f"The stored log is damaged: node {index} at level {level} is missing.")
        found[key] = node
    return found


def _last_leaf(key: Key) -> int:
    """The leaf in whose row the subtree's hash is stored: it ends with it."""
    level, index = key
    return (index + 1 << level) - 1


def hashes_of(storage: LogStorage, ranges: Iterable[Range]) -> tuple[bytes, ...]:
    """Returns the hash of each non-empty range, with one fetch for all. Raises VerificationFailed as `fetch`
    does.
    """
    rows = [subtrees_of(start, end) for start, end in ranges]
    nodes = fetch(storage, list(chain.from_iterable(rows)))
    return tuple(_fold([nodes[key] for key in row]) for row in rows)


def _fold(hashes: Sequence[bytes]) -> bytes:
    folded = hashes[-1]
    for left in reversed(hashes[:-1]):
        folded = node_hash(left, folded)
    return folded
