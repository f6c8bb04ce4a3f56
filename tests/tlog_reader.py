"""An independent reader of a tlog-tiles log: it shares no code with the product, and so can say whether others can
read what the product serves.

From C2SP tlog-tiles, tlog-checkpoint and signed-note alone: fetch the checkpoint, check its Ed25519 signature, fetch
every tile, and hold leaves, nodes and root against one another.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Fetch = Callable[[str], bytes]


class Unreadable(Exception):
    """The log is not what its checkpoint signs."""


@dataclass(frozen=True)
class ReadLog:
    """A log that was read whole and found sound."""

    origin: str
    size: int
    root: bytes
    leaves: tuple[bytes, ...]
    tiles: int


def read_log(fetch: Fetch, verifier_key: str) -> ReadLog:
    """Read a whole log. `verifier_key` is `name+hash+base64(algorithm || key)`. Raises Unreadable."""
    origin, size, root = read_checkpoint(fetch("checkpoint"), verifier_key)
    leaves: list[bytes] = []
    for name, width in _names("entries", size):
        leaves += _split(fetch(f"tile/{name}"), width)
    level, hashes, tiles = 0, [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves], 0
    computed = _root(hashes)
    if computed != root:
        raise Unreadable("the leaves do not give the signed root")
    while hashes:
        for name, width in _names(str(level), len(hashes)):
            wanted, hashes_here = fetch(f"tile/{name}"), hashes[tiles_at(name) :][:width]
            if wanted != b"".join(hashes_here):
                raise Unreadable(f"tile {name} is not what the leaves give")
            tiles += 1
        hashes = [_root(hashes[at : at + 256]) for at in range(0, len(hashes) // 256 * 256, 256)]
        level += 1
    return ReadLog(origin, size, root, tuple(leaves), tiles)


def read_checkpoint(note: bytes, verifier_key: str) -> tuple[str, int, bytes]:
    """Origin, size and root of a checkpoint signed by this key. Raises Unreadable."""
    text, _, signatures = note.partition(b"\n\n")
    text += b"\n"
    name, short, encoded = verifier_key.split("+", 2)
    key = base64.b64decode(encoded)
    for line in signatures.decode().splitlines():
        dash, signer, blob = line.split(" ")
        raw = base64.b64decode(blob)
        if (dash, signer, raw[:4].hex()) != ("\u2014", name, short) or key[0] != 1:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[4:], text)
        except InvalidSignature:
            raise Unreadable("the log's signature does not hold") from None
        origin, size, root = text.decode().splitlines()[:3]
        return origin, int(size), base64.b64decode(root)
    raise Unreadable("the checkpoint is not signed by this log key")


def tiles_at(name: str) -> int:
    """The first place that a tile's name is about."""
    digits = name.split(".p/")[0].split("/")[1:]
    return int("".join(part.lstrip("x") for part in digits)) * 256


def _names(level: str, count: int) -> list[tuple[str, int]]:
    names = []
    for index in range(-(-count // 256)):
        width = min(256, count - index * 256)
        thousands = [f"{index % 1000:03d}"]
        rest = index // 1000
        while rest:
            thousands.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        names.append((f"{level}/{'/'.join(thousands)}" + (f".p/{width}" if width < 256 else ""), width))
    return names


def _split(data: bytes, width: int) -> list[bytes]:
    leaves = []
    while data:
        length = int.from_bytes(data[:2], "big")
        if len(data) < 2 + length:
            raise Unreadable("an entry bundle is cut short")
        leaves.append(data[2 : 2 + length])
        data = data[2 + length :]
    if len(leaves) != width:
        raise Unreadable("an entry bundle holds another number of leaves than its name")
    return leaves


def _root(hashes: list[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    row = hashes
    # RFC 6962: pair what is complete, carry a lone last node up.
    while len(row) > 1:
        paired = [
            hashlib.sha256(b"\x01" + row[at] + row[at + 1]).digest() for at in range(0, len(row) - 1, 2)
        ]
        row = [*paired, row[-1]] if len(row) % 2 else paired
    return row[0]
