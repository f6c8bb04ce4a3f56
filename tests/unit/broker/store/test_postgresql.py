"""PostgreSQL keeps what SQLite keeps, by other means: levels, locks, lost connections, a server that dies.

These run in `make test`; `make test-all` runs all tests of the broker on PostgreSQL besides.
"""

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.protocol.errors import BadInput, NotFound, Unavailable
from broker.store import activations, calls, migrate
from broker.store.database import Database
from broker.store.log import SqlLogStorage
from broker.translog import log as translog
from broker.translog.verify import rederive
from tests.databases import Server


@pytest.fixture
def url(postgresql: Server, tmp_path: Path) -> Iterator[str]:
    made = postgresql.new(tmp_path)
    yield made
    postgresql.drop(made)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    migrate.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def second(url: str, database: Database) -> Iterator[Database]:
    """Another broker's."""
    del database
    opened = Database(url)
    yield opened
    opened.close()


def _note(database: Database, nonce: str) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO nonces VALUES ('kid', :nonce, 1)"), {"nonce": nonce})


def _noted(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(text("SELECT nonce FROM nonces ORDER BY nonce")).scalars())


# --- the schema, the levels, the settings ---


def test_upgrading_gives_the_tables_of_the_metadata_and_records_in_partitions(database: Database) -> None:
    assert differences(database) == []
    with database.read() as connection:
        query = "SELECT pg_get_partkeydef(CAST('records' AS regclass))"
        assert connection.execute(text(query)).scalar_one() == "LIST (deposit_number)"


def test_two_brokers_that_start_at_once_both_find_the_schema(url: str) -> None:
    databases = [Database(url) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(migrate.upgrade, databases))
    assert differences(databases[0]) == []
    for each in databases:
        each.close()


def test_writes_and_reads_have_their_levels_whatever_the_server_says(postgresql: Server, url: str) -> None:
    name = url.partition("@/")[2].partition("?")[0]
    postgresql.run(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    database = Database(url)
    shown = text("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
    with database.write() as connection:
        assert tuple(connection.execute(shown).one()) == ("read committed", "off")
    with database.read() as connection:
        assert tuple(connection.execute(shown).one()) == ("repeatable read", "on")
    with database.write() as connection:
        assert tuple(connection.execute(shown).one()) == ("read committed", "off")
    database.close()


def test_a_reader_stays_with_its_snapshot_and_cannot_write(database: Database, second: Database) -> None:
    count = text("SELECT count(*) FROM nonces")
    with database.read() as connection:
        assert connection.execute(count).scalar_one() == 0
        _note(second, "one")
        assert connection.execute(count).scalar_one() == 0
    with pytest.raises(Unavailable), database.read() as connection:
        connection.execute(text("DELETE FROM nonces"))
    assert _noted(database) == ["one"]


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_can_lose_entries_is_refused(postgresql: Server, url: str, setting: str) -> None:
    def configure(statement: str) -> None:
        postgresql.run(statement)
        postgresql.run("SELECT pg_reload_conf()")
        postgresql.run("SELECT pg_sleep(0.3)")

    configure(f"ALTER SYSTEM SET {setting} = off")
    refused = Database(url)
    try:
        with pytest.raises(Unavailable, match=setting), refused.read():
            pass
    finally:
        refused.close()
        configure(f"ALTER SYSTEM RESET {setting}")
    allowed = Database(url)
    with allowed.read() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    allowed.close()


def test_a_connection_stays_durable_though_the_server_is_told_otherwise_later(
    postgresql: Server, url: str
) -> None:
    database, name = Database(url), url.partition("@/")[2].partition("?")[0]
    shown = text("SELECT current_setting('synchronous_commit')")
    with database.write() as connection:
        assert connection.execute(shown).scalar_one() == "on"
    postgresql.run("ALTER SYSTEM SET synchronous_commit = off")
    try:
        postgresql.run("SELECT pg_reload_conf()")
        postgresql.run("SELECT pg_sleep(0.3)")
        assert postgresql.run("SHOW synchronous_commit", name) == [("off",)]
        with database.write() as connection:
            assert connection.execute(shown).scalar_one() == "on"
    finally:
        postgresql.run("ALTER SYSTEM RESET synchronous_commit")
        postgresql.run("SELECT pg_reload_conf()")
        database.close()


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://broker:hunter2-secret@db.example.org/narrowgate",
        "postgresql+psycopg://broker:hunter2-secret@db.example.org:port/narrowgate",
        "mysql://broker:hunter2-secret@db.example.org/narrowgate",
        "hunter2-secret",
    ],
)
def test_a_url_of_another_kind_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(BadInput) as refused:
        Database(wrong)
    assert "hunter2" not in f"{refused.value!r} {refused.value.__cause__!r} {refused.value.detail}"


def test_an_unreachable_server_is_named_by_no_part_of_its_url() -> None:
    database = Database("postgresql+psycopg://broker:hunter2-secret@127.0.0.1:9/narrowgate")
    with pytest.raises(Unavailable) as refused, database.write():
        pass
    assert not {"hunter2-secret", "127.0.0.1", "narrowgate"} & set(refused.value.detail.split())
    assert "hunter2" not in f"{refused.value.__cause__} {database.engine!r}"
    database.close()


# --- several brokers ---


def test_several_writers_append_without_a_gap_or_a_double_index(database: Database, second: Database) -> None:
    def append(number: int) -> None:
        with (database, second)[number % 2].write() as connection:
            translog.append(SqlLogStorage(connection, lock=True), [f"leaf {number}".encode()])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(40)))
    with database.read() as connection:
        assert rederive(SqlLogStorage(connection)).size == 40
        leaves = list(SqlLogStorage(connection).leaves(0, 40))
    assert sorted(leaves) == sorted(f"leaf {number}".encode() for number in range(40))


def test_one_nonce_at_two_brokers_counts_once(database: Database, second: Database) -> None:
    start = threading.Barrier(4)

    def use(number: int) -> list[bool]:
        start.wait()
        found = []
        for nonce in range(20):
            with (database, second)[number % 2].write() as connection:
                found.append(calls.use_nonce(connection, "kid", f"nonce {nonce}", 1_000, 1_010))
        return found

    with ThreadPoolExecutor(4) as pool:
        counted = list(pool.map(use, range(4)))
    assert [sum(each) for each in zip(*counted, strict=True)] == [1] * 20


def test_rules_are_put_in_force_once_no_decision_is_under_way_and_brokers_decide_side_by_side(
    database: Database, second: Database
) -> None:
    def put_in_force() -> None:
        with second.write() as connection:
            activations.lock(connection)

    with ThreadPoolExecutor(1) as pool:
        with database.write() as deciding:
            activations.hold(deciding)
            with second.write() as also_deciding:
                activations.hold(also_deciding)
            waiting = pool.submit(put_in_force)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        waiting.result(timeout=20)


def test_a_row_that_another_broker_wrote_first_asks_for_a_repeat(database: Database) -> None:
    _note(database, "one")
    with pytest.raises(Unavailable, match="first"):
        _note(database, "one")
    _note(database, "two")
    assert _noted(database) == ["one", "two"]


def test_a_deadlock_ends_one_step_and_spares_the_other(database: Database, second: Database) -> None:
    _note(database, "one")
    _note(database, "two")
    both = threading.Barrier(2)

    def step(own: Database, names: tuple[str, str]) -> str:
        try:
            with own.write() as connection:
                for name in names:
                    query = text("UPDATE nonces SET expires_at = expires_at + 1 WHERE nonce = :name")
                    connection.execute(query, {"name": name})
                    if name == names[0]:
                        both.wait()
        except Unavailable:
            return "ended"
        return "taken"

    with ThreadPoolExecutor(2) as pool:
        ends = [
            pool.submit(step, own, names)
            for own, names in ((database, ("one", "two")), (second, ("two", "one")))
        ]
    assert sorted(each.result() for each in ends) == ["ended", "taken"]
    with database.read() as connection:
        assert set(connection.execute(text("SELECT expires_at FROM nonces")).scalars()) == {2}


# --- connections that are lost ---


def test_a_connection_lost_in_a_transaction_takes_no_step_and_a_repeat_works(
    postgresql: Server, database: Database
) -> None:
    def step() -> None:
        with database.write() as connection:
            connection.execute(text("INSERT INTO nonces VALUES ('kid', 'one', 1)"))
            own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            postgresql.run(f"SELECT pg_terminate_backend({own}, 10000)")
            connection.execute(text("INSERT INTO nonces VALUES ('kid', 'two', 1)"))

    with pytest.raises(Unavailable, match="not taken"):
        step()
    assert _noted(database) == []
    _note(database, "one")
    assert _noted(database) == ["one"]


def test_connections_given_up_by_the_server_while_idle_are_opened_anew_unseen(
    postgresql: Server, database: Database
) -> None:
    with ThreadPoolExecutor(3) as pool:
        together = threading.Barrier(3)

        def backend() -> int:
            with database.read() as connection:
                together.wait(10)
                return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

        before = {each.result() for each in [pool.submit(backend) for _ in range(3)]}
    assert len(before) == 3
    for each in before:
        postgresql.run(f"SELECT pg_terminate_backend({each}, 10000)")
    for number in range(5):
        _note(database, str(number))
    assert _noted(database) == [str(number) for number in range(5)]
    with database.read() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() not in before


def test_a_connection_that_was_told_something_while_idle_is_asked_and_kept(
    postgresql: Server, database: Database, url: str
) -> None:
    with database.write() as connection:
        connection.execute(text("LISTEN news"))
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    postgresql.run("NOTIFY news", url.partition("@/")[2].partition("?")[0])
    _note(database, "one")
    with database.read() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() == own
    assert _noted(database) == ["one"]


def test_a_fault_of_ours_over_a_lost_connection_takes_no_step_either(
    postgresql: Server, database: Database
) -> None:
    def step() -> None:
        with database.write() as connection:
            own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            postgresql.run(f"SELECT pg_terminate_backend({own}, 10000)")
            raise NotFound("Stop.")

    with pytest.raises((NotFound, Unavailable)):
        step()
    _note(database, "one")
    assert _noted(database) == ["one"]


def test_a_server_killed_in_a_transaction_is_503_until_it_runs_again(
    postgresql: Server, database: Database
) -> None:
    _note(database, "before")

    def step() -> None:
        with database.write() as connection:
            connection.execute(text("INSERT INTO nonces VALUES ('kid', 'lost', 1)"))
            postgresql.kill()
            for _ in itertools.repeat(None):
                connection.execute(text("SELECT pg_sleep(0.05)"))

    try:
        with pytest.raises(Unavailable):
            step()
        with pytest.raises(Unavailable):
            _note(database, "while it is down")
        with pytest.raises(Unavailable):
            _noted(database)
    finally:
        postgresql.start()
    _note(database, "after")
    assert _noted(database) == ["after", "before"]


def test_an_answer_lost_after_the_commit_is_not_told_as_not_taken(
    postgresql: Server, url: str, database: Database, tmp_path: Path
) -> None:
    """Between broker and server stands a line that breaks when COMMIT is through and its answer is not."""
    with _LineThatBreaks(postgresql.data / ".s.PGSQL.5432", tmp_path / ".s.PGSQL.5432"):
        broken = Database(url.replace(str(postgresql.data), str(tmp_path)))
        with pytest.raises(Unavailable, match="not known"):
            _note(broken, "one")
        broken.close()
    assert _noted(database) == ["one"]


class _LineThatBreaks:
    """Carries one connection between two sockets until a commit was answered."""

    def __init__(self, server: Path, here: Path) -> None:
        self._server, self._listener = server, socket.socket(socket.AF_UNIX)
        self._listener.bind(str(here))
        self._listener.listen()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join(30)

    def _run(self) -> None:
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._server))
        written = threading.Event()

        def carry(source: socket.socket, target: socket.socket, seen: Callable[[bytes], bool]) -> None:
            with suppress(OSError):
                while data := source.recv(65536):
                    if seen(data):
                        break
                    target.sendall(data)
            for each in (client, server):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

        def asked(data: bytes) -> bool:
            if b"INSERT INTO nonces" in data:
                written.set()
            return False

        def answered(data: bytes) -> bool:
            return written.is_set() and b"COMMIT\x00" in data

        back = threading.Thread(target=carry, args=(server, client, answered))
        back.start()
        carry(client, server, asked)
        back.join(30)
        for each in (client, server):
            each.close()


def differences(database: Database) -> list[object]:
    with database.read() as connection:
        return migrate.differences(connection)
