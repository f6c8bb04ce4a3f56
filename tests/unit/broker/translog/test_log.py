"""A stored log against a plain list of leaves: append, roots and proofs at all sizes."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import merkle
from broker.protocol.errors import BadInput, Conflict, VerificationFailed
from broker.translog import log
from broker.translog.memory import MemoryStorage
from broker.translog.storage import EMPTY_HEAD, Head, LogRow

SIZE = 67


def leaf(number: int) -> bytes:
    return b'{"entry":%d}' % number


def grown(size: int) -> MemoryStorage:
    storage = MemoryStorage()
    log.append(storage, [leaf(number) for number in range(size)])
    return storage


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def root_of(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 2.1."""
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return merkle.leaf_hash(leaves[0])
    k = largest_power_below(len(leaves))
    return merkle.node_hash(root_of(leaves[:k]), root_of(leaves[k:]))


def path_of(m: int, leaves: list[bytes]) -> tuple[bytes, ...]:
    """PATH of RFC 6962 2.1.1."""
    if len(leaves) == 1:
        return ()
    k = largest_power_below(len(leaves))
    if m < k:
        return (*path_of(m, leaves[:k]), root_of(leaves[k:]))
    return (*path_of(m - k, leaves[k:]), root_of(leaves[:k]))


def subproof_of(m: int, leaves: list[bytes], whole: bool) -> tuple[bytes, ...]:
    """SUBPROOF of RFC 6962 2.1.2."""
    if m == len(leaves):
        return () if whole else (root_of(leaves),)
    k = largest_power_below(len(leaves))
    if m <= k:
        return (*subproof_of(m, leaves[:k], whole), root_of(leaves[k:]))
    return (*subproof_of(m - k, leaves[k:], False), root_of(leaves[:k]))


def test_a_new_log_is_empty() -> None:
    storage = MemoryStorage()
    assert storage.head() == EMPTY_HEAD
    assert log.root_at(storage, 0) == merkle.EMPTY_ROOT
    empty = log.Edge(EMPTY_HEAD, ())
    assert log.append(storage, []) == log.Appended(0, empty, empty)


def test_every_root_ever_held_can_be_given_again() -> None:
    storage, leaves = grown(SIZE), [leaf(number) for number in range(SIZE)]
    assert [log.root_at(storage, size) for size in range(SIZE + 1)] == [
        root_of(leaves[:size]) for size in range(SIZE + 1)
    ]


def test_inclusion_proofs_are_those_of_the_rfc_and_verify() -> None:
    storage, leaves = grown(SIZE), [leaf(number) for number in range(SIZE)]
    for size in range(1, SIZE + 1):
        root = log.root_at(storage, size)
        for index in range(size):
            proof = log.inclusion_proof(storage, index, size)
            assert proof == path_of(index, leaves[:size])
            merkle.verify_inclusion(merkle.leaf_hash(leaves[index]), index, size, proof, root)


def test_consistency_proofs_are_those_of_the_rfc_and_verify() -> None:
    storage, leaves = grown(SIZE), [leaf(number) for number in range(SIZE)]
    roots = [log.root_at(storage, size) for size in range(SIZE + 1)]
    for new in range(1, SIZE + 1):
        for old in range(1, new + 1):
            proof = log.consistency_proof(storage, old, new)
            assert proof == subproof_of(old, leaves[:new], True)
            merkle.verify_consistency(old, new, proof, roots[old], roots[new])


def test_from_an_empty_log_there_is_nothing_to_prove() -> None:
    storage = grown(3)
    assert log.consistency_proof(storage, 0, 3) == ()
    with pytest.raises(VerificationFailed):
        merkle.verify_consistency(0, 3, (), merkle.EMPTY_ROOT, log.root_at(storage, 3))


@settings(max_examples=60)
@given(
    batches=st.lists(st.lists(st.binary(max_size=40), max_size=20), max_size=12),
    data=st.data(),
)
def test_however_entries_are_batched_the_log_is_the_same_list(
    batches: list[list[bytes]], data: st.DataObject
) -> None:
    storage, model = MemoryStorage(), list[bytes]()
    for batch in batches:
        appended = log.append(storage, batch)
        assert appended.first_index == len(model)
        model.extend(batch)
        assert appended.head == storage.head() == Head(len(model), root_of(model))
    assert list(storage.leaves(0, len(model))) == model
    if model:
        size = data.draw(st.integers(1, len(model)))
        index = data.draw(st.integers(0, size - 1))
        proof = log.inclusion_proof(storage, index, size)
        merkle.verify_inclusion(merkle.leaf_hash(model[index]), index, size, proof, root_of(model[:size]))
        proof = log.consistency_proof(storage, size, len(model))
        merkle.verify_consistency(size, len(model), proof, root_of(model[:size]), root_of(model))


def test_nothing_is_proved_about_leaves_the_log_does_not_hold() -> None:
    storage = grown(5)
    for index, size in [(5, 5), (-1, 5), (5, 6), (0, 6), (0, 0)]:
        with pytest.raises(BadInput):
            log.inclusion_proof(storage, index, size)
    for old, new in [(3, 2), (-1, 5), (5, 6)]:
        with pytest.raises(BadInput):
            log.consistency_proof(storage, old, new)
    for size in (-1, 6):
        with pytest.raises(BadInput):
            log.root_at(storage, size)


class RacingStorage(MemoryStorage):
    """Between this writer's reading of the head and its writing, another writer appends once."""

    raced = False

    def head(self) -> Head:
        head = super().head()
        if not self.raced:
            self.raced = True
            log.append(self, [b"the other writer's entry"])
        return head


def test_the_second_of_two_writers_is_refused_and_has_written_nothing() -> None:
    storage = RacingStorage()
    with pytest.raises(Conflict):
        log.append(storage, [b"mine"])
    assert storage.head().size == 1
    assert list(storage.leaves(0, 9)) == [b"the other writer's entry"]
    assert log.append(storage, [b"mine"]).first_index == 1


def test_a_log_with_a_damaged_edge_does_not_grow() -> None:
    storage = grown(6)
    row = storage._rows[5]
    storage._rows[5] = row._replace(hashes=row.hashes[:32] + bytes(32))
    with pytest.raises(VerificationFailed, match="damaged"):
        log.append(storage, [b"one more"])
    storage._rows[5] = row._replace(hashes=row.hashes[:32])
    with pytest.raises(VerificationFailed, match="node 2 at level 1 is missing"):
        log.append(storage, [b"one more"])
    assert storage.head().size == 6


def test_memory_keeps_the_rules_of_a_store() -> None:
    storage = grown(2)
    old, new = storage.head(), Head(3, bytes(32))
    row = LogRow(2, b"again", bytes(32))
    with pytest.raises(Conflict, match="grew meanwhile"):
        storage.grow(EMPTY_HEAD, new, [row])
    storage._rows.append(LogRow(2, b"surplus", bytes(32)))
    with pytest.raises(Conflict, match="without a gap"):
        storage.grow(old, new, [row])
    assert storage.head() == old
    first, second = (merkle.leaf_hash(leaf(number)) for number in range(2))
    assert storage.hashes_at([0, 1, 9]) == {0: first, 1: second + old.root}
    assert list(storage.leaves(1, 9)) == [leaf(1), b"surplus"]
    assert list(storage.rows(0, 1)) == [LogRow(0, leaf(0), first)]


class CountingStorage(MemoryStorage):
    """Counts the fetches of nodes."""

    fetches = 0

    def hashes_at(self, indexes: Sequence[int]) -> Mapping[int, bytes]:
        self.fetches += 1
        return super().hashes_at(indexes)


def test_a_proof_costs_one_fetch_of_nodes() -> None:
    storage = CountingStorage()
    log.append(storage, [leaf(number) for number in range(1000)])
    storage.fetches = 0
    log.inclusion_proof(storage, 123, 999)
    log.consistency_proof(storage, 777, 1000)
    assert storage.fetches == 2


def test_with_the_edge_at_hand_nothing_is_read_and_the_next_leafs_path_is_there() -> None:
    storage, kept, leaves = CountingStorage(), log.KeptEdge(), list[bytes]()
    for number in range(SIZE):
        leaves.append(leaf(number))
        appended = log.append(storage, leaves[-1:], kept)
        assert appended.before.path_of_next == path_of(number, leaves)
        assert appended.head == Head(number + 1, root_of(leaves))
    assert storage.fetches == 1


def test_an_edge_of_another_head_is_not_used() -> None:
    storage, kept = CountingStorage(), log.KeptEdge()
    log.append(storage, [leaf(0), leaf(1), leaf(2)], kept)
    # Another log of the same size, as after a rollback and another writer's entry.
    other = CountingStorage()
    log.append(other, [b"another", b"another", b"another"])
    other.fetches = 0
    appended = log.append(other, [leaf(3)], kept)
    assert other.fetches == 1
    assert appended.head.root == root_of([b"another", b"another", b"another", leaf(3)])
    assert log.append(storage, [leaf(3)], kept).head.root == root_of([leaf(number) for number in range(4)])
