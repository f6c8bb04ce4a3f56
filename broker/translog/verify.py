"""Checking a whole stored log against itself: every hash from the leaves up.

Run at start and by `fsck`. It finds a changed, missing or surplus leaf, a changed or missing stored node
(which the leaves alone would not show) and a head that is not theirs. It cannot find a log that was
consistently rewritten or cut short: for that the caller compares the head it returns with the latest
checkpoint a witness holds.
"""

from collections.abc import Iterator

from broker.protocol.errors import VerificationFailed
from broker.protocol.merkle import Frontier, leaf_hash
from broker.translog.storage import Head, LogStorage

CHUNK_LEAVES = 256


def rederive(storage: LogStorage) -> Head:
    """Derives every node and the root again from the leaves, in memory that does not grow with the log.

    Run it in a transaction that sees one state of the store throughout. Returns the head, which is the
    stored one. Raises VerificationFailed naming the first index (and level) that does not fit.
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
    while frontier.size < head.size:
        end = min(frontier.size + CHUNK_LEAVES, head.size)
        yield from _chunk(storage, frontier, end, wrong)
        if frontier.size != end:
            yield f"leaf {frontier.size} is missing"
            return
    if frontier.root() != head.root:
        yield f"its {head.size} leaves do not give the stored root"
    if any(True for _ in storage.leaves(head.size, head.size + 1)):
        yield f"leaf {head.size} is stored beyond the head"


def _chunk(storage: LogStorage, frontier: Frontier, end: int, wrong: set[tuple[int, int]]) -> Iterator[str]:
    """Grows the frontier by the leaves up to `end` and compares each subtree they complete with the stored
    node; those that do not fit are added to `wrong`.
    """
    derived: dict[tuple[int, int], bytes] = {}
    start = frontier.size
    leaves = list(storage.leaves(start, end))
    if len(leaves) < end - start:
        # Those after the gap would be taken for others: look which is the first that is missing.
        present = (any(True for _ in storage.leaves(index, index + 1)) for index in range(start, end))
        leaves = leaves[: list(present).index(False)]
    for leaf in leaves:
        index = frontier.size
        for level, each in enumerate(frontier.append(leaf_hash(leaf))):
            derived[(level, index >> level)] = each
    stored = storage.get_nodes(list(derived))
    for (level, index), each in derived.items() if stored != derived else ():
        node = stored.get((level, index))
        if node == each:
            continue
        wrong.add((level, index))
        if node is None or not wrong & {(level - 1, 2 * index), (level - 1, 2 * index + 1)}:
            state = "is missing" if node is None else "does not fit the leaves"
            yield f"node {index} at level {level} {state}"
