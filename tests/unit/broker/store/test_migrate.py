"""The versions of the schema lead to exactly the tables the queries use."""

from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from broker.protocol.errors import Conflict
from broker.store import migrate, requests
from broker.store.database import Database
from broker.store.tables import METADATA


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
