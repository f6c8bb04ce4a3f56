"""Paths from one walk are those of the tree held in memory, whatever its size and whichever leaves are watched."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol import merkle
from broker.protocol.errors import BadInput
from broker.protocol.inclusion import InclusionWalk


def _leaves(size: int) -> list[bytes]:
    return [hashlib.sha256(f"leaf {number}".encode()).digest() for number in range(size)]


def _walked(leaves: list[bytes], watched: set[int]) -> InclusionWalk:
    walk = InclusionWalk()
    for index, leaf in enumerate(leaves):
        walk.append(leaf, watch=index in watched)
    return walk


@pytest.mark.parametrize("size", range(1, 40))
def test_every_leaf_of_every_small_tree_has_the_path_of_rfc_9162(size: int) -> None:
    leaves = _leaves(size)
    walk = _walked(leaves, set(range(size)))
    assert walk.frontier.root() == merkle.root_of(leaves)
    expected = {index: merkle.inclusion_path(leaves, index) for index in range(size)}
    assert walk.paths() == expected


@given(st.integers(1, 700), st.data())
def test_a_few_watched_leaves_of_a_larger_tree_prove_themselves_under_its_root(
    size: int, data: st.DataObject
) -> None:
    watched = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=4))
    leaves = _leaves(size)
    walk = _walked(leaves, watched)
    paths = walk.paths()
    assert set(paths) == watched
    for index, path in paths.items():
        merkle.verify_inclusion(leaves[index], index, size, path, walk.frontier.root())


def test_nothing_is_given_for_leaves_that_were_not_watched() -> None:
    assert _walked(_leaves(9), set()).paths() == {}


def test_a_hash_of_another_length_is_refused() -> None:
    with pytest.raises(BadInput):
        InclusionWalk().append(b"short", watch=True)
