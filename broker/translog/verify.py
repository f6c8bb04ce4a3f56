"""Checking a whole stored log against itself: every hash from the leaves up.

Run at start and by `fsck`. It finds a changed, missing or surplus leaf, a changed or missing stored node
(which the leaves alone would not show) and a head that is not theirs. It cannot find a log that was
consistently rewritten or cut short: for that the caller compares the head it returns with the latest
checkpoint a witness holds.
"""

from collections.abc import Iterator, Sequence

from broker.protocol.errors import VerificationFailed
from broker.protocol.merkle import HASH_BYTES, Frontier, leaf_hash
from broker.translog.storage import Head, LogRow, LogStorage

CHUNK_LEAVES = 4096


def rederive(storage: LogStorage) -> Head:
    """Derives every node and the root again from the leaves, in memory that does not grow with the log.

    Run it in a transaction that sees one state of the store throughout. Returns the head, which is the
    stored one. Raises VerificationFailed naming the first that does not fit, in the order of the leaves.
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
    frontier = Frontier()
    wrong: set[tuple[int, int]] = set()
    for start in range(0, head.size, CHUNK_LEAVES):
        end = min(start + CHUNK_LEAVES, head.size)
        for row in storage.rows(start, end):
            if row.leaf_index != frontier.size:
                break
            derived = frontier.append(leaf_hash(row.leaf))
            if row.hashes != b"".join(derived):
                yield from _misfits(row, derived, wrong)
        if frontier.size < end:
            yield f"leaf {frontier.size} is missing"
            return
    if frontier.root() != head.root:
        yield f"its {head.size} leaves do not give the stored root"
    if any(True for _ in storage.rows(head.size, head.size + 1)):
        yield f"leaf {head.size} is stored beyond the head"


def _misfits(row: LogRow, derived: Sequence[bytes], wrong: set[tuple[int, int]]) -> Iterator[str]:
    """Compares the hashes stored beside a leaf with those derived; the nodes that do not fit are added to `wrong`."""
    for level, each in enumerate(derived):
        node, index = row.hashes[HASH_BYTES * level : HASH_BYTES * (level + 1)], row.leaf_index >> level
        if node == each:
            continue
        wrong.add((level, index))
        if len(node) < HASH_BYTES:
            yield f"node {index} at level {level} is missing"
        elif not wrong & {(level - 1, 2 * index), (level - 1, 2 * index + 1)}:
            yield f"node {index} at level {level} does not fit the leaves"
    if len(row.hashes) > HASH_BYTES * len(derived):
        yield f"leaf {row.leaf_index} has hashes of more subtrees beside it than end there"
