"""What it costs an auditor to verify a mirrored log: every leaf read and checked, every node and the root derived.

Run: python -m benchmarks.audit [LEAVES ...]

A log of so many leaves, as brokers write them, is laid into a mirror as a broker would have served it; then it is
derived again, by one process on one processor. The yardstick is bare SHA-256 over the same leaves, without reading or
looking at them. Fetching, signatures, documents and records are left out. Each figure is the best of several rounds:
in seconds of the clock, since other programs take turns on the same processors, and in CPU seconds; the ratio is of CPU
seconds. Memory is the most that this process held at any time. The program ends with 1 when the largest log takes more
than the target, or when memory grows with the log.
"""

import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from broker.protocol import leaves, merkle
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.tiles import TILE_WIDTH, entry_bundle
from clients.mirrors.mirror import Mirror
from clients.mirrors.rederiving import rederive
from clients.vault import create_vault

SIZES = (10_000, 100_000, 1_000_000)
ROUNDS = 3
MOST_GROWTH_MIB = 32
TARGET_SECONDS = 20.0
_KINDS = tuple(RecordKind)


def main(sizes: tuple[int, ...]) -> None:
    """Print the table. Ends with 1 when memory grows with the log."""
    print(
        f"best of {ROUNDS} rounds, one process; ratio: derived again to bare SHA-256 of the same leaves, in CPU seconds"
    )
    print(f"{'leaves':>9} {'MB':>5} {'bare CPU':>9} {'CPU':>8} {'clock':>8} {'ratio':>6} {'memory':>8}")
    held: list[float] = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            held.append(_measure(size, Path(folder)))
    if held[-1] - held[0] > MOST_GROWTH_MIB:
        raise SystemExit("Memory grows with the log.")


def _measure(size: int, folder: Path) -> float:
    mirror, root, written = _mirror(size, folder)

    def derived() -> float:
        began = time.process_time()
        assert rederive(mirror, size).roots[size] == root
        return time.process_time() - began

    _, bare = _best(lambda: _bare(mirror, size))
    clock, used = _best(derived)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{size:>9} {written / 1e6:>5.0f} {bare:>8.3f}s {used:>7.2f}s {clock:>7.2f}s {used / bare:>6.1f} "
        f"{held:>4.0f} MiB"
    )
    if size == SIZES[-1] and used > TARGET_SECONDS:
        raise SystemExit(f"That took {used:.1f} seconds; the target is {TARGET_SECONDS:g}.")
    return held


def _best(call: Callable[[], float]) -> tuple[float, float]:
    """Seconds of the clock, and the CPU seconds that the call tells, each the best of the rounds."""
    clock, processor = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        processor.append(call())
        clock.append(time.perf_counter() - began)
    return min(clock), min(processor)


def _leaf(index: int) -> bytes:
    kind = _KINDS[index % len(_KINDS)]
    return leaves.compose(kind.value, 1_790_000_000 + index, b"", index.to_bytes(32, "big")).leaf


def _bare(mirror: Mirror, size: int) -> float:
    """CPU seconds of hashing every leaf, the reading of it left out."""
    used, sha256 = 0.0, hashlib.sha256
    for first in range(0, size, TILE_WIDTH):
        found = mirror.bundle_leaves(first // TILE_WIDTH, min(TILE_WIDTH, size - first))
        began = time.process_time()
        for leaf in found:
            sha256(leaf).digest()
        used += time.process_time() - began
    return used


def _mirror(size: int, folder: Path) -> tuple[Mirror, bytes, int]:
    """A mirror of so many leaves, their root, and how many bytes they take."""
    mirror = Mirror(create_vault(folder / "home", lambda number: bytes(number)), "log")
    frontier, written = merkle.Frontier(), 0
    for first in range(0, size, TILE_WIDTH):
        bundle = [_leaf(index) for index in range(first, min(size, first + TILE_WIDTH))]
        for leaf in bundle:
            frontier.append(merkle.leaf_hash(leaf))
        data = entry_bundle(bundle)
        mirror.keep_bundle(first // TILE_WIDTH, data)
        written += len(data)
    return mirror, frontier.root(), written


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SIZES)
