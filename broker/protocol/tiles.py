"""Tiles of a log: their paths, and the bytes of entry bundles (C2SP tlog-tiles).

Rule: a tile of hashes at level L holds up to 256 node hashes of tree level 8 * L, 32 bytes each, in order; an entry
bundle holds up to 256 leaves, each after its length as two bytes, big-endian. A full tile never changes, and a partial
one of a width neither, so both may be cached for ever. Tiles hold leaves alone (AUDIT 1), which tell nobody's secrets.

It reads no store: `broker.translog.tiles` fills tiles, and whoever reads them checks the hashes against a checkpoint.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from broker.protocol.errors import BadInput, VerificationFailed

TILE_HEIGHT = 8
TILE_WIDTH = 256
MAXIMUM_LEVEL = 5
"""A log of 2**48 leaves has no higher tile; C2SP allows 63."""
CACHED_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
NEVER_CACHED = {"Cache-Control": "no-cache"}
_LENGTH = struct.Struct(">H")
_CUT_SHORT = "An entry bundle is cut short, or holds another number of leaves than its name."
_PATH = re.compile(
    r"(?P<level>[0-5]|entries)/(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True)
class Tile:
    """Which tile: `level` None for an entry bundle; `width` hashes or leaves, 256 for a full one."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Behind `/tile/`: `0/x001/x234/067.p/12` or `entries/000`."""
        groups = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        name = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"{name}/{'/'.join(groups)}{partial}"


def read_path(path: str) -> Tile:
    """The tile of a path behind `/tile/`. Raises BadInput for any other spelling of it."""
    match = _PATH.fullmatch(path)
    if match is not None:
        level = None if match["level"] == "entries" else int(match["level"])
        width = TILE_WIDTH if match["width"] is None else int(match["width"])
        tile = Tile(level, int(re.sub(r"[x/]", "", match["index"])), width)
        # One tile has one path: no leading groups of zeros, no full tile as a partial one.
        if tile.path == path and tile.width <= TILE_WIDTH:
            return tile
    raise BadInput("This is no path of a tile: see C2SP tlog-tiles.")


def tiles_of(size: int) -> list[Tile]:
    """All tiles and entry bundles of a log of `size` leaves, full ones first at each level, leaves last."""
    found: list[Tile] = []
    for level in (*range(MAXIMUM_LEVEL + 1), None):
        nodes = size >> (TILE_HEIGHT * (level or 0))
        full, rest = divmod(nodes, TILE_WIDTH)
        found += [Tile(level, index) for index in range(full)]
        if rest:
            found.append(Tile(level, full, rest))
    return found


def entry_bundle(leaves: Sequence[bytes]) -> bytes:
    """The bytes of an entry bundle. Raises BadInput for a leaf over 65,535 bytes."""
    if any(len(leaf) > 0xFFFF for leaf in leaves):
        raise BadInput("A leaf is too long for an entry bundle.")
    return b"".join(_LENGTH.pack(len(leaf)) + leaf for leaf in leaves)


def read_entry_bundle(data: bytes, width: int) -> tuple[bytes, ...]:
    """The leaves of a bundle of `width`. Raises VerificationFailed when it is cut short or holds other numbers."""
    leaves = leaves_in(data)
    if len(leaves) != width:
        raise VerificationFailed(_CUT_SHORT)
    return leaves


def leaves_in(data: bytes) -> tuple[bytes, ...]:
    """The leaves of a bundle, however many it holds. Raises VerificationFailed when it is cut short."""
    leaves: list[bytes] = []
    at, end = 0, len(data)
    while at < end:
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if start > end or at > end:
            raise VerificationFailed(_CUT_SHORT)
        leaves.append(data[start:at])
    return tuple(leaves)


def read_hashes(data: bytes, width: int) -> tuple[bytes, ...]:
    """The hashes of a tile of `width`. Raises VerificationFailed for another length."""
    if len(data) != 32 * width:
        raise VerificationFailed("A tile has another length than its name says.")
    return tuple(data[at : at + 32] for at in range(0, len(data), 32))
