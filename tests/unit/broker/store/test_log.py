"""The log in SQL keeps the rules of `LogStorage`: compared with the log in memory, and broken on purpose."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from broker.protocol.errors import Conflict, VerificationFailed
from broker.store import migrate
from broker.store.database import Database
from broker.store.log import SqlLogStorage
from broker.translog import log as translog
from broker.translog.memory import MemoryStorage
from broker.translog.storage import EMPTY_HEAD, Head, LogRow
from broker.translog.verify import rederive


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    migrate.upgrade(opened)
    yield opened
    opened.close()


def _grow(database: Database, leaves: list[bytes], kept: translog.KeptEdge | None = None) -> Head:
    with database.write() as connection:
        return translog.append(SqlLogStorage(connection, lock=True), leaves, kept).head


def test_it_grows_as_the_log_in_memory_does(database: Database) -> None:
    memory = MemoryStorage()
    for size in (1, 2, 5, 300, 7):
        leaves = [f"leaf {size} {number}".encode() for number in range(size)]
        assert _grow(database, leaves) == translog.append(memory, leaves).head
    with database.read() as connection:
        stored = SqlLogStorage(connection)
        assert rederive(stored) == memory.head()
        assert list(stored.leaves(3, 400)) == list(memory.leaves(3, 400))
        for index in (0, 1, 8, 314):
            expected = translog.inclusion_proof(memory, index, 315)
            assert translog.inclusion_proof(stored, index, 315) == expected
        assert translog.consistency_proof(stored, 8, 315) == translog.consistency_proof(memory, 8, 315)


def test_a_moved_head_a_gap_and_a_leaf_that_is_stored_are_conflicts(database: Database) -> None:
    head = _grow(database, [b"one"])
    new, row = Head(2, bytes(32)), LogRow(1, b"two", bytes(32))
    with pytest.raises(Conflict, match="repeat the step"), database.write() as connection:
        SqlLogStorage(connection).grow(EMPTY_HEAD, new, [row])
    with pytest.raises(Conflict, match="repeat the step"), database.write() as connection:
        SqlLogStorage(connection).grow(Head(1, bytes(32)), new, [row])
    with pytest.raises(Conflict), database.write() as connection:
        SqlLogStorage(connection).grow(head, new, [LogRow(0, b"another", bytes(32))])
    kept = translog.KeptEdge()
    assert _grow(database, [b"two"], kept).size == 2
    with database.write() as connection:
        connection.execute(text("DELETE FROM log_leaves WHERE leaf_index = 1"))
    with pytest.raises(Conflict, match="repeat the step"):
        _grow(database, [b"three"], kept)
    with pytest.raises(VerificationFailed, match="node 0 at level 1 is missing"):
        _grow(database, [b"three"])


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE log_leaves SET leaf = :zeros WHERE leaf_index = 2",
        "DELETE FROM log_leaves WHERE leaf_index = 4",
        "UPDATE log_leaves SET hashes = :zeros WHERE leaf_index = 2",
        "UPDATE log_leaves SET hashes = substr(hashes, 1, 64) WHERE leaf_index = 3",
        "UPDATE log_head SET size = 3",
        "UPDATE log_head SET root = :zeros",
    ],
)
def test_every_damage_to_the_stored_log_is_found(database: Database, damage: str) -> None:
    _grow(database, [f"leaf {number}".encode() for number in range(5)])
    with database.write() as connection:
        connection.execute(text(damage), {"zeros": bytes(32)})
    with pytest.raises(VerificationFailed), database.read() as connection:
        rederive(SqlLogStorage(connection))
