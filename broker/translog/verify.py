"""Checking a whole stored log against itself: every hash from the leaves up.

Run at start and by `fsck`. It finds a changed, missing or surplus leaf, a changed or missing stored node
(which the leaves alone would not show) and a head that is not theirs. It cannot find a log that was
consistently rewritten or cut short: for that the caller compares the head it returns with the latest
checkpoint a witness holds.
"""

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
    frontier = Frontier()
    while frontier.size < head.size:
        _check_chunk(storage, frontier, min(frontier.size + CHUNK_LEAVES, head.size))
    if frontier.root() != head.root:
        raise VerificationFailed(f"The log is damaged: its {head.size} leaves do not give the stored root.")
    if any(True for _ in storage.leaves(head.size, head.size + 1)):
        raise VerificationFailed(f"The log is damaged: leaf {head.size} is stored beyond the head.")
    return head


def _check_chunk(storage: LogStorage, frontier: Frontier, end: int) -> None:
    """Grows the frontier by the leaves up to `end` and compares each subtree they complete with the stored
    node.
    """
    derived: dict[tuple[int, int], bytes] = {}
    for leaf in storage.leaves(frontier.size, end):
        index = frontier.size
        for level, each in enumerate(frontier.append(leaf_hash(leaf))):
            derived[(level, index >> level)] = each
    stored = storage.get_nodes(list(derived))
    for (level, index), each in derived.items() if stored != derived else ():
        if (node := stored.get((level, index))) != each:
            state = "is missing" if node is None else "does not fit the leaves"
            raise VerificationFailed(f"The log is damaged: node {index} at level {level} {state}.")
    if frontier.size != end:
        raise VerificationFailed(f"The log is damaged: leaf {frontier.size} is missing.")
