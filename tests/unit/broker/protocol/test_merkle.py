"""Merkle hashing and proofs against RFC 6962's own definitions and the published vectors."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import merkle
from broker.protocol.errors import BadInput, VerificationFailed

VECTORS = Path(__file__).parents[3] / "vectors" / "merkle"

# The roots of the first n of the reference test leaves (RFC 6962 implementations share them).
REFERENCE_LEAVES = [
    bytes.fromhex(each)
    for each in [
        *("", "00", "10", "2021", "3031", "40414243"),
        *("5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    ]
]
REFERENCE_ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def tree_hash(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962 2.1, word for word, over leaf hashes."""
    if not hashes:
        return merkle.EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return merkle.node_hash(tree_hash(hashes[:k]), tree_hash(hashes[k:]))


def hashes_of(count: int) -> list[bytes]:
    return [merkle.leaf_hash(b"leaf %d" % number) for number in range(count)]


def vectors(name: str) -> list[Any]:
    return [pytest.param(case, id=case["case"]) for case in json.loads((VECTORS / name).read_text())]


def decoded(case: dict[str, Any], *names: str) -> list[bytes]:
    return [base64.b64decode(case[name]) for name in names]


def expect(check: Callable[[], None], refused: bool) -> None:
    if refused:
        with pytest.raises(VerificationFailed):
            check()
    else:
        check()


@pytest.mark.parametrize("case", vectors("inclusion.json"))
def test_published_inclusion_vectors_hold(case: dict[str, Any]) -> None:
    leaf, root = decoded(case, "leafHash", "root")
    proof = [base64.b64decode(each) for each in case["proof"] or []]
    expect(
        lambda: merkle.verify_inclusion(leaf, case["leafIdx"], case["treeSize"], proof, root), case["wantErr"]
    )


@pytest.mark.parametrize("case", vectors("consistency.json"))
def test_published_consistency_vectors_hold(case: dict[str, Any]) -> None:
    old, new = decoded(case, "root1", "root2")
    proof = [base64.b64decode(each) for each in case["proof"] or []]
    expect(lambda: merkle.verify_consistency(case["size1"], case["size2"], proof, old, new), case["wantErr"])


@pytest.mark.parametrize("size", sorted(REFERENCE_ROOTS))
def test_roots_of_the_reference_leaves(size: int) -> None:
    leaves = REFERENCE_LEAVES[:size]
    assert merkle.root_of(map(merkle.leaf_hash, leaves)).hex() == REFERENCE_ROOTS[size]


def test_roots_are_those_of_the_rfc_at_every_size() -> None:
    hashes = hashes_of(70)
    for size in range(71):
        assert merkle.root_of(hashes[:size]) == tree_hash(hashes[:size])


def test_every_leaf_is_proved_at_every_size() -> None:
    hashes = hashes_of(40)
    for size in range(1, 41):
        root = tree_hash(hashes[:size])
        for index in range(size):
            proof = merkle.inclusion_path(hashes[:size], index)
            merkle.verify_inclusion(hashes[index], index, size, proof, root)
            assert merkle.root_from_inclusion(hashes[index], index, size, proof) == root


@settings(max_examples=60)
@given(size=st.integers(2, 300), data=st.data())
def test_a_proof_serves_one_leaf_at_one_place_only(size: int, data: st.DataObject) -> None:
    hashes = hashes_of(size)
    root = tree_hash(hashes)
    index, other = data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
    proof = merkle.inclusion_path(hashes, index)
    with pytest.raises(VerificationFailed):
        merkle.verify_inclusion(hashes[other], index, size, proof, root)
    with pytest.raises(VerificationFailed):
        merkle.verify_inclusion(hashes[index], other, size, proof, root)
    with pytest.raises(VerificationFailed):
        merkle.verify_inclusion(hashes[index], index, size, (*proof, root), root)
    with pytest.raises(VerificationFailed):
        merkle.verify_inclusion(hashes[index], index, size, proof[:-1], root)


def test_consistency_from_an_empty_tree_is_refused_even_without_a_proof() -> None:
    with pytest.raises(VerificationFailed):
        merkle.verify_consistency(0, 1, [], merkle.EMPTY_ROOT, hashes_of(1)[0])


@settings(max_examples=40)
@given(sizes=st.lists(st.integers(0, 60), max_size=6))
def test_a_frontier_stored_between_batches_gives_the_root_of_all(sizes: list[int]) -> None:
    hashes, frontier = hashes_of(sum(sizes)), merkle.Frontier()
    for size in sizes:
        for each in hashes[frontier.size : frontier.size + size]:
            frontier.append(each)
        frontier = merkle.Frontier.from_bytes(frontier.to_bytes())
    assert frontier.size == len(hashes)
    assert frontier.root() == tree_hash(hashes)


def test_appending_names_the_subtrees_a_leaf_completes() -> None:
    hashes, frontier = hashes_of(8), merkle.Frontier()
    completed = [frontier.append(each) for each in hashes]
    assert [len(each) for each in completed] == [1, 2, 1, 3, 1, 2, 1, 4]
    assert completed[5] == (hashes[5], merkle.node_hash(hashes[4], hashes[5]))
    assert completed[7][-1] == tree_hash(hashes)


@pytest.mark.parametrize("stored", [b"", b"\x00" * 7, b"\x00" * 7 + b"\x03" + b"h" * 32, b"\x00" * 8 + b"h"])
def test_bytes_that_are_no_frontier_are_refused(stored: bytes) -> None:
    with pytest.raises(BadInput):
        merkle.Frontier.from_bytes(stored)


def test_a_hash_of_another_length_never_enters_a_tree() -> None:
    with pytest.raises(BadInput):
        merkle.Frontier().append(b"short")
    with pytest.raises(BadInput):
        merkle.Frontier(1, [b"short"])


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_path_to_a_leaf_outside_the_list(index: int) -> None:
    with pytest.raises(BadInput):
        merkle.inclusion_path(hashes_of(3), index)
