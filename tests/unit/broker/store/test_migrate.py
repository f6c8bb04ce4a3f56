"""The versions of the schema lead to exactly the tables the queries use."""

from pathlib import Path

import pytest
from sqlalchemy import text

from broker.protocol.errors import Conflict
from broker.store import migrate
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
