"""Verifies a log in C2SP tlog-tiles form, as a folder of files, with the product's own functions.

`DIR/checkpoint`, `DIR/tile/LEVEL/INDEX`, `DIR/tile/entries/INDEX`: whoever wrote them. Each bundle and each tile of
hashes is one case, and so is the checkpoint; a tile passes when the leaves below it give its hashes.
"""

from collections.abc import Iterator
from pathlib import Path

from broker.protocol import checkpoint, merkle, tiles
from broker.protocol.errors import NarrowgateError, VerificationFailed
from broker.protocol.tiles import TILE_WIDTH, Tile


def failures_and_passes(folder: Path, verifier_key: str) -> Iterator[tuple[str, str | None]]:
    """Yields each case's name with what is wrong, None where nothing is. The checkpoint goes first: without it, no
    more."""
    try:
        signed = _checkpoint(folder, verifier_key)
    except (OSError, UnicodeDecodeError, NarrowgateError) as problem:
        yield "checkpoint", _said(problem)
        return
    hashes: list[bytes] = []
    for tile in _row(None, signed.size):
        try:
            bundle = tiles.read_entry_bundle(_read(folder, tile), tile.width)
        except (OSError, NarrowgateError) as problem:
            yield tile.path, _said(problem)
            hashes += [bytes(32)] * tile.width
            continue
        hashes += [merkle.leaf_hash(leaf) for leaf in bundle]
        yield tile.path, None
    root = merkle.root_of(hashes)
    yield "checkpoint", None if root == signed.root else "the leaves do not give the signed root"
    for level in range(tiles.MAXIMUM_LEVEL + 1):
        for tile in _row(level, len(hashes)):
            yield tile.path, _tile_problem(folder, tile, hashes)
        hashes = [
            merkle.root_of(hashes[at : at + TILE_WIDTH])
            for at in range(0, len(hashes) // TILE_WIDTH * TILE_WIDTH, TILE_WIDTH)
        ]


def _checkpoint(folder: Path, verifier_key: str) -> checkpoint.Checkpoint:
    note = (folder / "checkpoint").read_bytes()
    origin = note.split(b"\n", 1)[0].decode()
    return checkpoint.parse_and_verify(note, origin, checkpoint.parse_verifier_key(verifier_key))


def _row(level: int | None, nodes: int) -> Iterator[Tile]:
    full, rest = divmod(nodes, TILE_WIDTH)
    yield from (Tile(level, index) for index in range(full))
    if rest:
        yield Tile(level, full, rest)


def _tile_problem(folder: Path, tile: Tile, hashes: list[bytes]) -> str | None:
    start = tile.index * TILE_WIDTH
    try:
        found = tiles.read_hashes(_read(folder, tile), tile.width)
        if found != tuple(hashes[start : start + tile.width]):
            raise VerificationFailed("the leaves do not give these hashes")
    except (OSError, NarrowgateError) as problem:
        return _said(problem)
    return None


def _read(folder: Path, tile: Tile) -> bytes:
    path = folder / "tile" / tile.path
    if not path.is_file() and tile.width < TILE_WIDTH:
        # A log may drop a partial tile once the full one is there (C2SP tlog-tiles).
        whole = folder / "tile" / Tile(tile.level, tile.index).path
        if tile.level is not None and whole.is_file():
            return whole.read_bytes()[: 32 * tile.width]
    return path.read_bytes()


def _said(problem: Exception) -> str:
    return problem.detail if isinstance(problem, NarrowgateError) else "it is not there"
