"""A stored log as tiles: an independent reader reads it whole, and nothing that is given ever changes."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import checkpoint
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, NotFound, VerificationFailed
from broker.protocol.tiles import Tile, read_entry_bundle, read_hashes, read_path, tiles_of
from broker.translog import log
from broker.translog.memory import MemoryStorage
from broker.translog.tiles import read_tile
from tests import tlog_reader

ORIGIN = "log.example.org"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VERIFIER = checkpoint.verifier_key(ORIGIN, public_bytes(KEY))


def leaf(number: int) -> bytes:
    return b'{"entry":%d}' % number


def grown(size: int) -> MemoryStorage:
    storage = MemoryStorage()
    log.append(storage, [leaf(number) for number in range(size)])
    return storage


def served(storage: MemoryStorage, path: str) -> bytes:
    """What a server answers at a path below its prefix."""
    head = storage.head()
    if path == "checkpoint":
        return checkpoint.sign(ORIGIN, head.size, head.root, KEY, ORIGIN)
    return read_tile(storage, read_path(path.removeprefix("tile/")))


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 70_001])
def test_an_independent_reader_reads_the_whole_log_from_its_tiles(size: int) -> None:
    storage = grown(size)
    read = tlog_reader.read_log(lambda path: served(storage, path), VERIFIER)
    assert (read.origin, read.size, read.root) == (ORIGIN, size, storage.head().root)
    assert read.leaves == tuple(leaf(number) for number in range(size))
    assert read.tiles == sum(tile.level is not None for tile in tiles_of(size))


def test_the_independent_reader_finds_one_changed_leaf_node_or_signature() -> None:
    storage = grown(600)
    for changed in ("tile/entries/001", "tile/0/001", "tile/1/000.p/2", "checkpoint"):

        def fetch(path: str, changed: str = changed) -> bytes:
            data = served(storage, path)
            return data[:-2] + bytes([data[-2] ^ 1]) + data[-1:] if path == changed else data

        with pytest.raises((tlog_reader.Unreadable, ValueError)):
            tlog_reader.read_log(fetch, VERIFIER)


def test_what_was_given_never_changes_while_the_log_grows() -> None:
    storage = MemoryStorage()
    seen: dict[str, bytes] = {}
    for number in range(600):
        log.append(storage, [leaf(number)])
        for tile in tiles_of(number + 1)[-3:]:
            seen.setdefault(tile.path, read_tile(storage, tile))
    assert len(seen) > 600
    for path, data in seen.items():
        assert read_tile(storage, read_path(path)) == data


def test_a_tile_that_the_log_has_not_grown_to_is_not_found() -> None:
    storage = grown(300)
    for path in ("0/001", "0/001.p/45", "0/002", "1/000.p/2", "2/000.p/1", "entries/001"):
        with pytest.raises(NotFound):
            read_tile(storage, read_path(path))
    assert len(read_tile(storage, read_path("0/001.p/44"))) == 44 * 32


def test_a_store_that_lost_a_leaf_gives_no_bundle() -> None:
    storage = grown(10)
    storage._rows.pop()
    with pytest.raises(VerificationFailed, match="damaged"):
        read_tile(storage, Tile(None, 0, 10))


@given(st.sampled_from([None, 0, 1, 5]), st.integers(0, 10**15), st.integers(1, 256))
def test_each_tile_has_one_path(level: int | None, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert read_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "0/",
        "0/0",
        "0/0000",
        "6/000",
        "-1/000",
        "0/x000/001",
        "0/001/002",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/257",
        "0/000.p/01",
        "0/000.p",
        "entries/x001",
        "data/000",
        "0/000/",
        "../0/000",
        "0/x001/2345",
    ],
)
def test_any_other_spelling_is_refused(path: str) -> None:
    with pytest.raises(BadInput, match="no path of a tile"):
        read_path(path)


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_is_read_back_and_a_cut_one_refused(leaves: list[bytes]) -> None:
    storage = MemoryStorage()
    log.append(storage, leaves)
    if not leaves:
        return
    data = read_tile(storage, Tile(None, 0, len(leaves)))
    assert read_entry_bundle(data, len(leaves)) == tuple(leaves)
    for cut in (data[:-1], data + b"\x00", data + b"\x00\x00"):
        with pytest.raises(VerificationFailed):
            read_entry_bundle(cut, len(leaves))


def test_a_tile_of_another_length_than_its_name_is_refused() -> None:
    assert read_hashes(hashlib.sha256(b"a").digest() * 2, 2) == (hashlib.sha256(b"a").digest(),) * 2
    with pytest.raises(VerificationFailed):
        read_hashes(bytes(63), 2)
