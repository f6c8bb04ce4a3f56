"""The versions of the schema lead to exactly the tables the queries use."""

import json
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from broker.gate.bundle import load
from broker.protocol import merkle
from broker.protocol.errors import Conflict
from broker.protocol.messages.vocabulary import Tier
from broker.store import migrate, requests
from broker.store.database import Database
from broker.store.log import SqlLogStorage, StoredRecord, read_records
from broker.store.tables import METADATA
from broker.translog import log as translog
from broker.translog.memory import MemoryStorage
from broker.translog.verify import rederive
from tests.exchange_story import COMPANIES, Story, token
from tests.races import POLICIES
from tests.taken_back import taking_back


def test_upgrading_an_empty_database_gives_the_tables_of_the_metadata(database_url: str) -> None:
    database = Database(database_url)
    assert differences(database)
    migrate.upgrade(database)
    assert differences(database) == []
    migrate.upgrade(database)
    assert differences(database) == []
    database.close()


def test_upgrading_gives_the_very_tables_that_the_metadata_would_create(tmp_path: Path) -> None:
    upgraded = Database(f"sqlite:///{tmp_path / 'upgraded.sqlite3'}")
    migrate.upgrade(upgraded)
    created = Database(f"sqlite:///{tmp_path / 'created.sqlite3'}")
    with created.write() as connection:
        METADATA.create_all(connection)
    assert _schema(upgraded) == _schema(created)
    upgraded.close()
    created.close()


def test_the_copy_of_a_decision_beside_its_permit_goes_from_the_file_with_the_upgrade(tmp_path: Path) -> None:
    """Earlier releases kept one, with the case's facts, and nobody read it."""
    path = tmp_path / "broker.sqlite3"
    database = Database(f"sqlite:///{path}")
    config = migrate._config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        connection.execute(
            text(
                "INSERT INTO requests VALUES (x'01', x'02', 'unit-1', 'hits', x'03', x'04', x'05', 'admitted', 200,"
                " x'06', 7, 8)"
            )
        )
        connection.execute(
            text("INSERT INTO permits VALUES (x'09', x'01', 'the permit', 'CASE-7', 10, NULL, NULL)")
        )
    assert b"CASE-7" in path.read_bytes() + path.with_name(f"{path.name}-wal").read_bytes()
    migrate.upgrade(database)
    database.empty_wal()
    with database.read() as connection:
        assert requests.permit(connection, b"\x09") == requests.StoredPermit(
            b"\x09", b"\x01", "the permit", 10, None, None
        )
    assert b"CASE-7" not in path.read_bytes() + path.with_name(f"{path.name}-wal").read_bytes()
    database.close()


def test_a_log_with_a_row_for_each_node_is_the_same_log_after_the_upgrade(database_url: str) -> None:
    """Earlier releases kept the hashes of subtrees so; the records beside the leaves move too, in SQLite."""
    leaves = [b"leaf %d" % number for number in range(5000)]
    memory = MemoryStorage()
    head = translog.append(memory, leaves).head
    database = Database(database_url)
    config = migrate._config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        values = {"root": head.root, "salt": bytes(32)}
        connection.execute(text("INSERT INTO log_head VALUES (1, 5000, :root)"), values)
        rows = [{"leaf_index": index, "leaf": leaf} for index, leaf in enumerate(leaves)]
        connection.execute(text("INSERT INTO log_leaves VALUES (:leaf_index, :leaf)"), rows)
        connection.execute(text("INSERT INTO log_nodes VALUES (3, 1, :root)"), values)
        connection.execute(text("INSERT INTO log_records VALUES (7, :salt, :root), (8, NULL, NULL)"), values)
    migrate.upgrade(database)
    assert differences(database) == []
    with database.write() as connection:
        stored = SqlLogStorage(connection, lock=True)
        assert rederive(stored) == head
        assert read_records(connection, 0, 5000) == (
            StoredRecord(7, bytes(32), head.root),
            StoredRecord(8, None, None),
        )
        assert translog.append(stored, [b"one more"]).head == translog.append(memory, [b"one more"]).head
    database.close()


def test_the_upgrade_of_the_log_can_be_undone(database_url: str) -> None:
    database = Database(database_url)
    migrate.upgrade(database)
    with database.write() as connection:
        head = translog.append(
            SqlLogStorage(connection, lock=True), [b"%d" % number for number in range(9)]
        ).head
    config = migrate._config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0006")
        nodes = connection.execute(text("SELECT count(*) FROM log_nodes")).scalar_one()
        top = connection.execute(text("SELECT hash FROM log_nodes WHERE level = 3")).scalar_one()
    assert (nodes, top) == (9 + 4 + 2 + 1, _root(8))
    migrate.upgrade(database)
    with database.read() as connection:
        assert rederive(SqlLogStorage(connection)) == head
    database.close()


def test_answers_of_before_are_found_by_a_withdrawal_after_the_upgrade(
    tmp_path: Path, database_url: str
) -> None:
    """Their rows are those that the answers would have left by now; a row of a record that is gone is not made."""
    story = Story(tmp_path, load(POLICIES), database_url=database_url)
    gone, stays = (
        story.deposit(company, [token(first + each) for each in range(700)])
        for company, first in zip(COMPANIES[:2], (0, 1000), strict=True)
    )
    story.deposit(COMPANIES[2], [token(2000)])
    asked = [[token(1), token(2), token(1003)], [token(1003)], [token(9999)], [token(1004), token(5)]]
    answers = []
    for each in asked:
        request = story.request()
        answers.append(story.answer(request, story.tokens(story.file(request), each)))
    counted = story.request(50, Tier.COUNT)
    story.answer(counted, story.tokens(story.file(counted), [token(each) for each in range(40)]))
    story.file(story.request())
    taking_back(story, "deposit", gone, []).take(story.broker)
    before = _told(story.broker.database)
    assert len(before) == 3
    story.stop()
    _through_downgrade(database_url, "0007")
    story.start()
    assert differences(story.broker.database) == []
    assert _told(story.broker.database) == before
    withdrawal = taking_back(story, "records", stays, [token(1003)])
    assert json.loads(withdrawal.take(story.broker))["notices"] == 2
    story.stop()


def test_an_answer_of_before_that_cannot_be_read_does_not_keep_a_broker_from_the_upgrade(
    tmp_path: Path, database_url: str
) -> None:
    story = Story(tmp_path, load(POLICIES), database_url=database_url)
    for company in COMPANIES[:3]:
        story.deposit(company, [token(1)])
    for _ in range(3):
        request = story.request()
        story.answer(request, story.tokens(story.file(request), [token(1)]))
    before = _told(story.broker.database)
    story.stop()
    for column in ("disclosure", "document"):
        damage = f"UPDATE permits SET {column} = :damage WHERE permit_id = :permit_id"
        permit_id = min(each[0] for each in before)
        before = {each for each in before if each[0] != permit_id}
        value = "damaged" if column == "document" else b"damaged"
        _through_downgrade(database_url, "0007", damage, damage=value, permit_id=permit_id)
    story.start()
    assert len(before) == 3
    assert _told(story.broker.database) == before
    story.stop()


def _told(database: Database) -> set[tuple[bytes, int, bytes]]:
    with database.read() as connection:
        rows = connection.execute(text("SELECT permit_id, deposit_number, token_digest FROM told_records"))
        return {(bytes(row[0]), row[1], bytes(row[2])) for row in rows}


def _through_downgrade(url: str, version: str, *statements: str, **values: object) -> None:
    """Bring a database to an earlier version, and change it there."""
    database = Database(url)
    config = migrate._config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        if migrate.version_of(connection) != version:
            command.downgrade(config, version)
        for statement in statements:
            connection.execute(text(statement), values)
    database.close()


def _root(size: int) -> bytes:
    return merkle.root_of(merkle.leaf_hash(b"%d" % number) for number in range(size))


def test_a_database_of_another_release_is_refused(database_url: str) -> None:
    database = Database(database_url)
    migrate.upgrade(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'of-tomorrow'"))
    with pytest.raises(Conflict):
        migrate.upgrade(database)
    database.close()


def _schema(database: Database) -> dict[str, list[str]]:
    # Both write the same clauses of a table in another order.
    query = text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'")
    with database.read() as connection:
        return {
            name: sorted("".join(sql.rstrip(")").split()).split(","))
            for name, sql in connection.execute(query)
        }


def differences(database: Database) -> list[object]:
    with database.read() as connection:
        return migrate.differences(connection)
