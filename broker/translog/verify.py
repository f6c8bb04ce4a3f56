"""Checking a whole stored log against itself: every hash from the leaves up.

Run at start and by `fsck`. It finds a changed, missing or surplus leaf, a changed or missing stored node
(which the leaves alone would not show) and a head that is not theirs. It cannot find a log that was
consistently rewritten or cut short: for that the caller compares the head it returns with the latest
checkpoint a witness holds.
"""

from broker.protocol.errors import VerificationFailed
from broker.protocol.merkle import Frontier, leaf_hash, node_hash
from broker.translog.storage import Head, LogStorage

CHUNK_LEVEL = 12
CHUNK_LEAVES = 1 << CHUNK_LEVEL


def rederive(storage: LogStorage) -> Head:
    """Derives every node and the root again from the leaves, in memory that does not grow with the log.

    Run it in a transaction that sees one state of the store throughout. Returns the head, which is the
    stored one. Raises VerificationFailed naming the first index (and level) that does not fit, from the lowest
    level up within each complete subtree of 4,096 leaves.
    """
    head = storage.head()
    # The tree above the chunks, each of which is a leaf to it; and the subtrees of the last, unfinished one.
    above, edge = Frontier(), list[bytes]()
    for start in range(0, head.size, CHUNK_LEAVES):
        end = min(start + CHUNK_LEAVES, head.size)
        edge = _check_chunk(storage, start, end)
        if end - start == CHUNK_LEAVES:
            for level, each in enumerate(above.append(edge.pop()), CHUNK_LEVEL):
                _check(storage, level, start >> level, [each])
    if Frontier(head.size, (*above.hashes, *edge)).root() != head.root:
        raise VerificationFailed(f"The log is damaged: its {head.size} leaves do not give the stored root.")
    if any(True for _ in storage.leaves(head.size, head.size + 1)):
        raise VerificationFailed(f"The log is damaged: leaf {head.size} is stored beyond the head.")
    return head


def _check_chunk(storage: LogStorage, start: int, end: int) -> list[bytes]:
    """Derives the nodes over the leaves from `start`, where a chunk begins, up to `end`, below the chunk's own,
    and compares each with the stored one. Returns the hashes of the subtrees that make up the range.
    """
    row = [leaf_hash(leaf) for leaf in storage.leaves(start, end)]
    found, level, edge = len(row), 0, list[bytes]()
    while row:
        if level < CHUNK_LEVEL:
            _check(storage, level, start >> level, row)
        if len(row) & 1:
            edge.insert(0, row[-1])
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=False)]
        level += 1
    if found != end - start:
        raise VerificationFailed(f"The log is damaged: leaf {start + found} is missing.")
    return edge


def _check(storage: LogStorage, level: int, first: int, derived: list[bytes]) -> None:
    """Compares a row of derived hashes with the stored ones of that level, from index `first` on."""
    if list(storage.hashes(level, first, first + len(derived))) == derived:
        return
    stored = storage.get_nodes([(level, first + place) for place in range(len(derived))])
    for index, each in enumerate(derived, first):
        if (node := stored.get((level, index))) != each:
            state = "is missing" if node is None else "does not fit the leaves"
            raise VerificationFailed(f"The log is damaged: node {index} at level {level} {state}.")
