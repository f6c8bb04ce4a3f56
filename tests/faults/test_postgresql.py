"""Two brokers on one PostgreSQL under four callers: the server is killed, or a broker is, or settings are unsafe."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.protocol.errors import Unavailable
from broker.store.database import Database
from tests.databases import Server
from tests.faults.ground import Ground
from tests.faults.rounds import Rounds
from tests.faults.writer import Refused, Writer

pytestmark = pytest.mark.all_only

DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


@pytest.fixture(scope="module")
def prepared(postgresql: Server, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("faults") / "ground"
    return Ground(folder, postgresql.new(folder))


@pytest.fixture
def url(postgresql: Server, prepared: Ground, tmp_path: Path) -> Iterator[str]:
    made = postgresql.copy(prepared.story.database_url, tmp_path)
    yield made
    postgresql.drop(made)


@pytest.fixture
def folders(prepared: Ground, url: str, tmp_path: Path) -> tuple[Path, Path]:
    """Of two brokers with the same keys, on one database."""
    line = f'database_url = "{url}"'
    return prepared.copy(tmp_path / "one", line), prepared.copy(tmp_path / "two", line)


@pytest.mark.parametrize("after", ["the brokers go on", "the brokers start again"])
def test_a_server_killed_under_two_brokers_loses_and_doubles_nothing(
    postgresql: Server, prepared: Ground, folders: tuple[Path, Path], url: str, after: str
) -> None:
    name = f"PostgreSQL's postmaster killed under two brokers; {after}"
    rounds = Rounds(prepared, folders[0], name, seed=41, database_url=url, others=folders[1:])
    for _ in range(2):
        end = time.monotonic() + rounds.chance.uniform(0.5, 1.5)
        rounds.call(seconds=8, until=partial(kill_after, postgresql, end))
        postgresql.start()
        rounds.go_on() if after == "the brokers go on" else rounds.restart()
    rounds.end()


def kill_after(server: Server, end: float) -> bool:
    """Kill the server once it is time, and let the callers go on into the void for a moment."""
    if time.monotonic() > end and (server.data / "postmaster.pid").exists():
        server.kill()
    return time.monotonic() > end + 1.0


def test_brokers_killed_beside_one_another_leave_no_gap_and_no_double_index(
    prepared: Ground, folders: tuple[Path, Path], url: str
) -> None:
    name = "one of two brokers on one PostgreSQL killed, by turns"
    rounds = Rounds(prepared, folders[0], name, seed=42, database_url=url, others=folders[1:])
    for number in range(2):
        rounds.call(seconds=0.7)
        (rounds.writer, *rounds.more)[number % 2].process.kill()
        rounds.call(seconds=0.7)
        rounds.restart()
    rounds.end()


@pytest.mark.parametrize("setting", DURABLE)
def test_a_server_that_can_lose_entries_is_not_served_from(
    postgresql: Server, prepared: Ground, folders: tuple[Path, Path], setting: str
) -> None:
    configure(postgresql, f"ALTER SYSTEM SET {setting} = off")
    try:
        with pytest.raises(Refused, match=setting):
            Writer(folders[0], prepared.now)
    finally:
        configure(postgresql, f"ALTER SYSTEM RESET {setting}")
    Writer(folders[0], prepared.now).kill()


@pytest.mark.parametrize("of", ["ROLE postgres", "DATABASE {name}", "ROLE postgres IN DATABASE {name}"])
def test_commits_that_do_not_wait_are_refused_for_a_role_or_a_database_too(
    postgresql: Server, prepared: Ground, folders: tuple[Path, Path], url: str, of: str
) -> None:
    whose = of.format(name=url.partition("@/")[2].partition("?")[0])
    postgresql.run(f"ALTER {whose} SET synchronous_commit = off")
    try:
        with pytest.raises(Refused, match="synchronous_commit"):
            Writer(folders[0], prepared.now)
    finally:
        postgresql.run(f"ALTER {whose} RESET synchronous_commit")


def test_a_connection_that_is_open_goes_on_waiting_for_its_commits(postgresql: Server, url: str) -> None:
    database = Database(url)
    shown = text("SELECT pg_backend_pid(), current_setting('synchronous_commit')")
    with database.read() as connection:
        before = tuple(connection.execute(shown).one())
    configure(postgresql, "ALTER SYSTEM SET synchronous_commit = off")
    try:
        with database.write() as connection:
            assert tuple(connection.execute(shown).one()) == before
        assert before[1] == "on"
        # A second connection, beside the open one, is a new one: it is refused.
        with database.read(), pytest.raises(Unavailable, match="synchronous_commit"), database.read():
            pass
    finally:
        database.close()
        configure(postgresql, "ALTER SYSTEM RESET synchronous_commit")


def configure(server: Server, statement: str) -> None:
    """Change the server's settings, and wait until they hold."""
    server.run(statement)
    server.run("SELECT pg_reload_conf()")
    server.run("SELECT pg_sleep(0.3)")
