"""The database file: one owner, found out when it is replaced, settings that make writes durable and erasures real."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import inspect

from broker.protocol.errors import Conflict, Unavailable
from broker.protocol.messages.vocabulary import Tier
from broker.translog import log as translog
from broker.translog.memory import MemoryStorage
from broker.translog.verify import rederive
from clients.keyholder.store import permits
from clients.keyholder.store.database import Connection, Database
from clients.keyholder.store.log import SqlLogStorage
from clients.keyholder.store.permits import SeenCheckpoint, UsedPermit

USED = UsedPermit(bytes(16), bytes(32), bytes(16), "unit-1", Tier.HITS, 5, 7)


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.sqlite")
    with pytest.raises(Conflict, match="Stop the service"):
        Database(tmp_path / "a.sqlite")
    database.close()
    Database(tmp_path / "a.sqlite").close()


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.sqlite")
    assert (tmp_path / "a.sqlite").stat().st_mode & 0o777 == 0o600
    database.close()


def test_it_runs_with_the_settings_that_promises_rest_on(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.sqlite")
    with database.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1}
    database.close()


def _charged(connection: Connection) -> int:
    """Charges the permit, and answers what was charged to somebody else: nothing."""
    permits.charge_permit(connection, USED)
    return permits.charged_since(connection, bytes(16), "nobody", 0)


def test_what_raises_is_rolled_back(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.sqlite")
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        permits.charge_permit(connection, replace(USED, identifiers=1 // _charged(connection)))
    with database.read() as connection:
        assert permits.find_permit(connection, USED.permit_id) is None
    database.close()


def test_a_deleted_file_stops_the_service(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.sqlite")
    (tmp_path / "a.sqlite").unlink()
    with pytest.raises(Unavailable, match="replaced"), database.write() as connection:
        permits.charge_permit(connection, USED)
    with pytest.raises(Unavailable, match="failed earlier"), database.read():
        pass
    database.close()


def test_a_second_row_of_one_name_is_a_conflict_and_not_a_fault(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.sqlite")
    with database.write() as connection:
        permits.charge_permit(connection, USED)
    with pytest.raises(Conflict), database.write() as connection:
        permits.charge_permit(connection, USED)
    with database.read() as connection:
        assert permits.find_permit(connection, USED.permit_id) == USED
    database.close()


def test_charges_count_within_the_window_and_by_requester(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.sqlite")
    with database.write() as connection:
        permits.charge_permit(connection, USED)
        permits.charge_permit(
            connection, UsedPermit(b"b" * 16, bytes(32), bytes(16), "unit-1", Tier.HITS, 11, 100)
        )
        permits.charge_permit(
            connection, UsedPermit(b"c" * 16, bytes(32), bytes(16), "unit-2", Tier.HITS, 13, 100)
        )
        permits.charge_permit(
            connection, UsedPermit(b"d" * 16, bytes(32), b"x" * 16, "unit-1", Tier.HITS, 17, 100)
        )
    with database.read() as connection:
        assert permits.charged_since(connection, bytes(16), "unit-1", 0) == 16
        assert permits.charged_since(connection, bytes(16), "unit-1", 7) == 11
        assert permits.charged_since(connection, bytes(16), "nobody", 0) == 0
    database.close()


def test_the_checkpoint_seen_is_one_for_each_log(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.sqlite")
    with database.write() as connection:
        permits.keep_seen(connection, [b"a" * 32], SeenCheckpoint(1, bytes(32), "note"), 7)
        permits.keep_seen(connection, [b"b" * 32], SeenCheckpoint(5, bytes(32), "other"), 7)
        permits.keep_seen(connection, [b"a" * 32], SeenCheckpoint(2, b"r" * 32, "newer"), 8)
    with database.read() as connection:
        assert permits.seen(connection, [b"a" * 32]) == SeenCheckpoint(2, b"r" * 32, "newer")
        assert permits.seen(connection, [b"b" * 32]) == SeenCheckpoint(5, bytes(32), "other")
        assert permits.seen(connection, [b"c" * 32]) is None
    database.close()


def test_a_log_with_a_row_for_each_node_is_the_same_log_when_it_is_opened(tmp_path: Path) -> None:
    """As earlier releases kept it."""
    leaves = [b"leaf %d" % number for number in range(2500)]
    memory = MemoryStorage()
    head = translog.append(memory, leaves).head
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as old:
        old.execute("CREATE TABLE log_leaves (leaf_index BIGINT PRIMARY KEY, leaf BLOB NOT NULL)")
        old.execute("CREATE TABLE log_head (only SMALLINT PRIMARY KEY, size BIGINT, root BLOB)")
        old.execute("CREATE TABLE log_nodes (level SMALLINT, node_index BIGINT, hash BLOB)")
        old.executemany("INSERT INTO log_leaves VALUES (?, ?)", enumerate(leaves))
        old.execute("INSERT INTO log_head VALUES (1, ?, ?)", (head.size, head.root))
        old.commit()
    for _ in range(2):
        database = Database(tmp_path / "a.sqlite")
        with database.read() as connection:
            assert rederive(SqlLogStorage(connection)) == head
            assert not inspect(connection).has_table("log_nodes")
            assert not inspect(connection).has_table("old_log_leaves")
        database.close()
    database = Database(tmp_path / "a.sqlite")
    with database.write() as connection:
        grown = translog.append(SqlLogStorage(connection), [b"one more"]).head
    assert grown == translog.append(memory, [b"one more"]).head
    database.close()
