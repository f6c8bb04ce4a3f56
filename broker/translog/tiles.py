"""The tiles of a stored log (C2SP tlog-tiles): hashes of complete subtrees, and bundles of leaves.

Rule: a tile is given only where each of its nodes is complete at the stored head, so that what was once given never
changes. Works within the caller's transaction. Paths and the bundles' bytes are `broker.protocol.tiles`'s.
"""

from broker.protocol.errors import NotFound, VerificationFailed
from broker.protocol.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, entry_bundle
from broker.translog.storage import LogStorage
from broker.translog.subtrees import fetch


def read_tile(storage: LogStorage, tile: Tile) -> bytes:
    """The bytes of a tile or entry bundle. Raises NotFound (not grown yet) or VerificationFailed (damaged store)."""
    start = tile.index * TILE_WIDTH
    end = start + tile.width
    height = TILE_HEIGHT * (tile.level or 0)
    if end > storage.head().size >> height:
        raise NotFound("The log has not grown to this tile yet.")
    if tile.level is not None:
        nodes = [(height, index) for index in range(start, end)]
        hashes = fetch(storage, nodes)
        return b"".join(hashes[node] for node in nodes)
    leaves = list(storage.leaves(start, end))
    if len(leaves) != tile.width:
        raise VerificationFailed("The stored log is damaged: leaves are missing.")
    return entry_bundle(leaves)
