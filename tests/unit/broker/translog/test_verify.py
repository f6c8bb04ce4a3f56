"""Re-deriving a stored log: every kind of damage is found and named."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import merkle
from broker.protocol.errors import VerificationFailed
from broker.translog import log, verify
from broker.translog.memory import MemoryStorage
from broker.translog.storage import EMPTY_HEAD, Head, LogRow


def grown(size: int) -> MemoryStorage:
    storage = MemoryStorage()
    log.append(storage, [b"leaf %d" % number for number in range(size)])
    return storage


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 600, 4095, 4096, 4097, 8192, 12_300])
def test_a_sound_log_gives_its_head(size: int) -> None:
    storage = grown(size)
    assert verify.rederive(storage) == storage.head()


def test_an_empty_log_is_sound() -> None:
    assert verify.rederive(MemoryStorage()) == EMPTY_HEAD


def put_node(storage: MemoryStorage, level: int, index: int, node: bytes) -> None:
    """Put other bytes in the place of a node, which lies beside the last leaf below it."""
    last = (index + 1 << level) - 1
    hashes, at = storage._rows[last].hashes, 32 * level
    assert len(hashes) >= at + 32
    storage._rows[last] = storage._rows[last]._replace(hashes=hashes[:at] + node + hashes[at + 32 :])


def change_leaf(storage: MemoryStorage) -> None:
    storage._rows[300] = storage._rows[300]._replace(leaf=b"rewritten")


def change_leaf_and_its_hash(storage: MemoryStorage) -> None:
    change_leaf(storage)
    put_node(storage, 0, 300, merkle.leaf_hash(b"rewritten"))


def drop_leaf(storage: MemoryStorage) -> None:
    del storage._rows[300]


def drop_last_leaves(storage: MemoryStorage) -> None:
    del storage._rows[500:]


def add_leaf(storage: MemoryStorage) -> None:
    storage._rows.append(LogRow(len(storage._rows), b"surplus", bytes(32)))


def drop_node(storage: MemoryStorage) -> None:
    put_node(storage, 3, 4, b"")


def add_node(storage: MemoryStorage) -> None:
    storage._rows[40] = storage._rows[40]._replace(hashes=storage._rows[40].hashes + bytes(32))


def change_root(storage: MemoryStorage) -> None:
    storage._head = Head(600, bytes(32))


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (change_leaf, "node 300 at level 0 does not fit"),
        (change_leaf_and_its_hash, "node 150 at level 1 does not fit"),
        (drop_leaf, "leaf 300 is missing"),
        (drop_last_leaves, "leaf 500 is missing"),
        (add_leaf, "leaf 600 is stored beyond the head"),
        (drop_node, "node 4 at level 3 is missing"),
        (add_node, "leaf 40 has hashes of more subtrees beside it than end there"),
        (change_root, "600 leaves do not give the stored root"),
    ],
)
def test_damage_is_found_and_named(damage: Callable[[MemoryStorage], None], named: str) -> None:
    storage = grown(600)
    damage(storage)
    with pytest.raises(VerificationFailed, match=named):
        verify.rederive(storage)


@settings(max_examples=60)
@given(size=st.integers(1, 120), data=st.data())
def test_one_flipped_bit_in_any_stored_node_is_found(size: int, data: st.DataObject) -> None:
    storage = grown(size)
    row = storage._rows[data.draw(st.integers(0, size - 1))]
    flipped, at = bytearray(row.hashes), data.draw(st.integers(0, len(row.hashes) - 1))
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    storage._rows[row.leaf_index] = row._replace(hashes=bytes(flipped))
    level, index = at // 32, row.leaf_index >> at // 32
    with pytest.raises(VerificationFailed, match=f"node {index} at level {level} "):
        verify.rederive(storage)


def test_all_damage_is_told_each_node_once_where_it_begins() -> None:
    storage = grown(9000)
    sound = list(storage._rows)
    for level, index in [(0, 5), (2, 1), (12, 1), (13, 0)]:
        put_node(storage, level, index, bytes(32))
    put_node(storage, 3, 8, b"")
    add_leaf(storage)
    assert list(verify.mismatches(storage, storage.head())) == [
        "node 5 at level 0 does not fit the leaves",
        "node 1 at level 2 does not fit the leaves",
        "node 8 at level 3 is missing",
        "node 1 at level 12 does not fit the leaves",
        "leaf 9000 is stored beyond the head",
    ]
    storage._rows = sound[:5000]
    assert list(verify.mismatches(storage, storage.head())) == ["leaf 5000 is missing"]
