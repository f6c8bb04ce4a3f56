"""Derive a mirrored log again from its leaves: every leaf read, every node hashed, in memory that does not grow.

Rule: nothing is taken from the mirror but leaves. Each must be the canonical bytes of a known kind; what they come to
is returned, root by root, and compared by who asked. A full bundle is a complete subtree of 256 leaves, so that bundles
are read by several processes and joined in order; the nodes above them are hashed here.

It fetches nothing and keeps nothing: see `clients.mirroring`.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from multiprocessing import get_context

from broker.protocol import leaves, merkle
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.tiles import TILE_HEIGHT, TILE_WIDTH, leaves_in
from clients.mirror import DAMAGED, Mirror

RUN_TILES = 64
"""Bundles that one process reads at a time."""
WORTH_PROCESSES = 800
"""Bundles from which on a second process is started: before, it costs more than it saves."""
MOST_PROCESSES = 4
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


@dataclass(frozen=True)
class _Read:
    """Consecutive leaves that were read: the root of each full bundle, or the leaf hashes of one that is not."""

    hashes: Sequence[bytes]
    kinds: Counter[bytes]
    first_bad: BadLeaf | None


def rederive(
    mirror: Mirror, size: int, also_at: Collection[int] = (), processes: int | None = None
) -> Rederived:
    """Derive the root of the first `size` leaves, and of the smaller sizes in `also_at`.

    Args:
        processes: how many to read with; as many as there are processors, up to 4, unless given.

    Raises VerificationFailed when a leaf is missing."""
    sizes = sorted({*also_at, size})
    frontier, roots, kinds = merkle.Frontier(), dict[int, bytes](), Counter[bytes]()
    first_bad: BadLeaf | None = None
    for read in _full_bundles(mirror, size // TILE_WIDTH, processes):
        kinds += read.kinds
        first_bad = first_bad or read.first_bad
        for root in read.hashes:
            while sizes and sizes[0] < frontier.size + TILE_WIDTH:
                roots[sizes[0]] = _root_within(mirror, frontier, sizes.pop(0))
            frontier.append_subtree(root, TILE_HEIGHT)
    rest = _read_bundle(mirror.bundle(size // TILE_WIDTH), frontier.size, size - frontier.size)
    for each in sizes:
        roots[each] = _root_within(mirror, frontier, each)
    kinds += rest.kinds
    told = {kind.decode(): number for kind, number in kinds.items()}
    return Rederived(roots, told, first_bad or rest.first_bad)


def _full_bundles(mirror: Mirror, number: int, processes: int | None) -> Iterator[_Read]:
    runs = (
        [
            (str(mirror.bundle_path(tile)), tile * TILE_WIDTH)
            for tile in range(at, min(at + RUN_TILES, number))
        ]
        for at in range(0, number, RUN_TILES)
    )
    processes = processes or min(MOST_PROCESSES, os.cpu_count() or 1)
    if number < WORTH_PROCESSES or processes == 1:
        yield from map(_read_run, runs)
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        # A few runs ahead and no more, so that what waits to be joined does not grow with the log.
        waiting = [pool.submit(_read_run, run) for run in islice(runs, 2 * processes)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(_read_run, run) for run in islice(runs, 1)]


def _read_run(bundles: Sequence[tuple[str, int]]) -> _Read:
    """Read full bundles, given by path and first index."""
    roots, kinds = list[bytes](), Counter[bytes]()
    first_bad: BadLeaf | None = None
    for path, first in bundles:
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            raise VerificationFailed(DAMAGED) from None
        read = _read_bundle(data, first, TILE_WIDTH)
        hashes = read.hashes
        while len(hashes) > 1:
            pairs = iter(hashes)
            hashes = [
                sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)
            ]
        roots += hashes
        kinds += read.kinds
        first_bad = first_bad or read.first_bad
    return _Read(roots, kinds, first_bad)


def _read_bundle(data: bytes, first: int, number: int) -> _Read:
    """Read the first `number` leaves of a bundle that begins at index `first`."""
    found = leaves_in(data)[:number]
    if len(found) < number:
        raise VerificationFailed(DAMAGED)
    kinds, first_bad = Counter[bytes](), None
    with suppress(VerificationFailed):
        kinds.update(map(leaves.leaf_kind, found))
    if kinds.total() < number or not kinds.keys() <= _KINDS:
        kinds, first_bad = Counter(), _first_bad(found, first)
    return _Read([sha256(b"\x00" + leaf).digest() for leaf in found], kinds, first_bad)


def _first_bad(found: Sequence[bytes], first: int) -> BadLeaf | None:
    for index, leaf in enumerate(found, first):
        try:
            if leaves.leaf_kind(leaf) not in _KINDS:
                return BadLeaf(index, "The entry is of a kind that is not known here.")
        except VerificationFailed as error:
            return BadLeaf(index, error.detail)
    return None


def _root_within(mirror: Mirror, full: merkle.Frontier, size: int) -> bytes:
    """The root of `size` leaves, of which the whole bundles before are in `full`."""
    frontier = merkle.Frontier(full.size, full.hashes)
    for leaf in mirror.leaves(full.size, size):
        frontier.append(merkle.leaf_hash(leaf))
    return frontier.root()
