"""Checking a whole stored log against itself: every hash from the leaves up.

Run at start and by `fsck`. It finds a changed, missing or surplus leaf, a changed or missing stored node
(which the leaves alone would not show) and a head that is not theirs. It cannot find a log that was
consistently rewritten or cut short: for that the caller compares the head it returns with the latest
checkpoint a witness holds.
"""

from collections.abc import Iterator

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
    for mismatch in mismatches(storage, head):
        raise VerificationFailed(f"The log is damaged: {mismatch}.")
    return head


def mismatches(storage: LogStorage, head: Head) -> Iterator[str]:
    """Yields whatever does not fit, as a clause of a sentence; nothing for a sound log.

    A node is named once, at the lowest level that does not fit: what lies above it follows. After a missing
    leaf nothing can be derived, so that is the last.
    """
    # The tree above the chunks, each of which is a leaf to it; and the subtrees of the last, unfinished one.
    above, edge = Frontier(), list[bytes]()
    wrong: set[tuple[int, int]] = set()
    for start in range(0, head.size, CHUNK_LEAVES):
        end = min(start + CHUNK_LEAVES, head.size)
        row = [leaf_hash(leaf) for leaf in _leaves(storage, start, end)]
        found, edge = len(row), []
        for level in range(CHUNK_LEVEL):
            yield from _compare(storage, level, start >> level, row, wrong)
            if len(row) & 1:
                edge.insert(0, row[-1])
            row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=False)]
        if found < end - start:
            yield f"leaf {start + found} is missing"
            return
        for whole in row:
            for level, each in enumerate(above.append(whole), CHUNK_LEVEL):
                yield from _compare(storage, level, start >> level, [each], wrong)
    if Frontier(head.size, (*above.hashes, *edge)).root() != head.root:
        yield f"its {head.size} leaves do not give the stored root"
    if any(True for _ in storage.leaves(head.size, head.size + 1)):
        yield f"leaf {head.size} is stored beyond the head"


def _leaves(storage: LogStorage, start: int, end: int) -> list[bytes]:
    leaves = list(storage.leaves(start, end))
    if len(leaves) < end - start:
        # Those after a gap would be taken for others: look which is the first that is missing.
        present = [any(True for _ in storage.leaves(index, index + 1)) for index in range(start, end)]
        leaves = leaves[: present.index(False)]
    return leaves


def _compare(
    storage: LogStorage, level: int, first: int, derived: list[bytes], wrong: set[tuple[int, int]]
) -> Iterator[str]:
    """Compares a row of derived hashes with the stored ones of that level, from index `first` on; those that do
    not fit are added to `wrong`.
    """
    if list(storage.hashes(level, first, first + len(derived))) == derived:
        return
    stored = storage.get_nodes([(level, first + place) for place in range(len(derived))])
    for index, each in enumerate(derived, first):
        node = stored.get((level, index))
        if node == each:
            continue
        wrong.add((level, index))
        if node is None or not wrong & {(level - 1, 2 * index), (level - 1, 2 * index + 1)}:
            state = "is missing" if node is None else "does not fit the leaves"
            yield f"node {index} at level {level} {state}"
