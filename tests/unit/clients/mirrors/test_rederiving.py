"""Bundle by bundle comes to what leaf by leaf comes to, at every size, and names the first wrong leaf."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol import leaves, merkle
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.tiles import TILE_WIDTH, entry_bundle
from clients.mirrors.mirror import Mirror
from clients.mirrors.rederiving import rederive
from clients.vault import create_vault

SIZE = 3 * TILE_WIDTH
LEAVES = [
    leaves.compose("TOKENS" if index % 3 else "RELEASE", index, b"", index.to_bytes(32, "big")).leaf
    for index in range(SIZE)
]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    return written(tmp_path_factory.mktemp("mirror"), LEAVES)


def written(folder: Path, kept: list[bytes]) -> Mirror:
    mirror = Mirror(create_vault(folder / "home", lambda number: bytes(number)), "log")
    for first in range(0, len(kept), TILE_WIDTH):
        mirror.keep_bundle(first // TILE_WIDTH, entry_bundle(kept[first : first + TILE_WIDTH]))
    return mirror


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 700, 768])
def test_the_roots_of_a_size_and_of_smaller_ones(mirror: Mirror, size: int) -> None:
    also = {0, size // 2, min(size, 256), max(0, size - 1)}
    derived = rederive(mirror, size, also)
    hashes = list(map(merkle.leaf_hash, LEAVES))
    assert derived.roots == {each: merkle.root_of(hashes[:each]) for each in {*also, size}}
    assert sum(derived.kinds.values()) == size
    assert derived.kinds.get("RELEASE", 0) == -(-size // 3)
    assert derived.first_bad is None


@pytest.mark.parametrize("place", [0, 255, 256, 700])
@pytest.mark.parametrize(
    "false", [b"{}", leaves.compose("OTHER", 1, b"", bytes(32)).leaf], ids=["malformed", "kind"]
)
def test_the_first_wrong_leaf_is_named(tmp_path: Path, place: int, false: bytes) -> None:
    kept = [*LEAVES[:place], false, *LEAVES[place + 1 : 710], false]
    derived = rederive(written(tmp_path, kept), len(kept))
    assert derived.first_bad is not None
    assert derived.first_bad.index == place
    assert derived.roots[len(kept)] == merkle.root_of(map(merkle.leaf_hash, kept))


def test_a_leaf_that_is_not_there_is_a_damaged_mirror(mirror: Mirror) -> None:
    with pytest.raises(VerificationFailed, match="damaged"):
        rederive(mirror, SIZE + 1)


@given(st.lists(st.integers(0, 3), max_size=12), st.integers(0, 5))
def test_subtrees_added_whole_come_to_what_their_leaves_come_to(levels: list[int], ends: int) -> None:
    levels = sorted(
        levels, reverse=True
    )  # so that each begins where the tree is made of whole ones of its level
    by_subtree, by_leaf = merkle.Frontier(), merkle.Frontier()
    hashes = (hashlib.sha256(index.to_bytes(4, "big")).digest() for index in range(200))
    for level in [*levels, *([0] * ends)]:
        inside = [next(hashes) for _ in range(1 << level)]
        completed = by_subtree.append_subtree(merkle.root_of(inside), level)
        nodes = [by_leaf.append(each) for each in inside][-1]
        assert nodes[level:] == completed
    assert (by_subtree.size, by_subtree.root()) == (by_leaf.size, by_leaf.root())


def test_a_subtree_does_not_go_where_no_whole_one_of_its_size_ends() -> None:
    frontier = merkle.Frontier()
    frontier.append(bytes(32))
    with pytest.raises(BadInput):
        frontier.append_subtree(bytes(32), 1)
