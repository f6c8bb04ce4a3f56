"""Steps that come at once share a commit: all of them are durable or none, and one that is refused goes alone."""

import itertools
import os
import resource
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event, text

from broker.audit.log import AuditLog, Receipt
from broker.audit.records import BundleActivated
from broker.protocol import merkle, receipts
from broker.protocol.documents import public_bytes
from broker.protocol.errors import Conflict, NotFound, Unavailable
from broker.protocol.messages.vocabulary import RecordKind
from broker.store import group_commit, migrate
from broker.store.database import Connection, Database
from broker.store.log import SqlLogStorage
from broker.translog.verify import rederive

PATIENCE_SECONDS = 20.0
KEY = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
ORIGIN = "broker.example.org/log"
NOW = 1_790_000_000
Step = Callable[[Connection], None]


@pytest.fixture(autouse=True)
def patient_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy a group must not close for its time while a test lets callers queue."""
    monkeypatch.setattr(group_commit, "LONGEST_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{path}")
    with opened.write() as connection:
        connection.execute(text("CREATE TABLE notes (place INTEGER PRIMARY KEY, note TEXT UNIQUE)"))
    yield opened
    opened.close()


def _note(note: str) -> Step:
    def step(connection: Connection) -> None:
        connection.execute(text("INSERT INTO notes (note) VALUES (:note)"), {"note": note})

    return step


def _refuse(connection: Connection) -> None:
    _note("refused")(connection)
    raise NotFound("Stop.")


def _notes(path: Path) -> list[str]:
    """What another process would read, in the order in which it was written."""
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return [note for (note,) in reader.execute("SELECT note FROM notes ORDER BY place")]
    finally:
        reader.close()


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@contextmanager
def _statements(database: Database) -> Iterator[list[str]]:
    """The transactions' own statements while the block runs."""
    seen: list[str] = []

    def on_statement(_c: object, _u: object, statement: str, *_: object) -> None:
        seen.append(statement)

    def on_begin(_: object) -> None:
        seen.append("BEGIN")

    def on_commit(_: object) -> None:
        seen.append("COMMIT")

    listeners = (("before_cursor_execute", on_statement), ("begin", on_begin), ("commit", on_commit))
    for name, listener in listeners:
        event.listen(database.engine, name, listener)
    try:
        yield seen
    finally:
        for name, listener in listeners:
            event.remove(database.engine, name, listener)


def _at_once(database: Database, steps: Sequence[Step]) -> list[Future[None]]:
    """Take the steps so that they come in this order while the first of them is still under way. All have ended."""
    assert database._steps is not None
    queue, begun, go = database._steps._queue, threading.Event(), threading.Event()

    def take(step: Step, first: bool) -> None:
        with database.write() as connection:
            if first:
                begun.set()
                assert go.wait(PATIENCE_SECONDS)
            step(connection)

    with ThreadPoolExecutor(len(steps)) as pool:
        taken = [pool.submit(take, steps[0], True)]
        assert begun.wait(PATIENCE_SECONDS)
        for place, step in enumerate(steps[1:], 1):
            taken.append(pool.submit(take, step, False))
            _wait_until(lambda place=place: len(queue) == place)  # type: ignore[misc]
        go.set()
    return taken


# --- one commit for all ---


def test_steps_that_come_at_once_are_one_commit_in_the_order_in_which_they_came(
    database: Database, path: Path
) -> None:
    with _statements(database) as seen:
        taken = _at_once(database, [_note(str(number)) for number in range(8)])
    assert [each.exception() for each in taken] == [None] * 8
    assert _notes(path) == [str(number) for number in range(8)]
    assert (seen.count("BEGIN"), seen.count("COMMIT")) == (1, 1)


def test_a_caller_alone_has_a_transaction_without_a_savepoint(database: Database) -> None:
    with _statements(database) as seen:
        with database.write() as connection:
            _note("one")(connection)
        with database.write() as connection:
            _note("two")(connection)
    own = [each for each in seen if not each.startswith("INSERT")]
    assert own == ["BEGIN", "COMMIT"] * 2


def test_nobody_is_answered_or_refused_before_the_commit(database: Database, path: Path) -> None:
    ended, last, go = [threading.Event() for _ in range(2)], threading.Event(), threading.Event()

    def noted(connection: Connection) -> None:
        _note("one")(connection)
        ended[0].set()

    def refused(connection: Connection) -> None:
        ended[1].set()
        _refuse(connection)

    def slow(connection: Connection) -> None:
        _note("two")(connection)
        last.set()
        assert go.wait(PATIENCE_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        all_ended = pool.submit(_at_once, database, [noted, refused, slow])
        assert last.wait(PATIENCE_SECONDS)
        assert all(each.is_set() for each in ended)
        time.sleep(0.05)
        assert not all_ended.done()
        assert _notes(path) == []
        go.set()
        taken = all_ended.result(PATIENCE_SECONDS)
    assert _notes(path) == ["one", "two"]
    assert [type(each.exception()) for each in taken] == [type(None), NotFound, type(None)]


def test_a_group_is_bounded_in_steps_and_in_time(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_STEPS", 4)
    with _statements(database) as seen:
        _at_once(database, [_note(str(number)) for number in range(10)])
    assert seen.count("COMMIT") == 3
    monkeypatch.setattr(group_commit, "LONGEST_SECONDS", -1.0)
    with _statements(database) as seen:
        _at_once(database, [_note(str(number)) for number in range(10, 13)])
    assert seen.count("COMMIT") == 3
    assert _notes(path) == [str(number) for number in range(13)]


def test_emptying_the_log_waits_for_the_group_and_has_the_database_to_itself(
    database: Database, path: Path
) -> None:
    assert database._steps is not None
    queue = database._steps._queue

    def empty(connection: Connection) -> None:
        _note("one")(connection)
        emptying.append(pool.submit(database.empty_wal))
        _wait_until(lambda: len(queue) == 1)

    emptying: list[Future[None]] = []
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            empty(connection)
        emptying[0].result(PATIENCE_SECONDS)
    assert Path(f"{path}-wal").stat().st_size == 0
    assert _notes(path) == ["one"]


# --- a step that is refused ---


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_refused_step_leaves_nothing_and_the_others_whole(
    database: Database, path: Path, place: int
) -> None:
    steps = [_note(str(number)) for number in range(4)]
    steps.insert(place, _refuse)
    taken = _at_once(database, steps)
    assert isinstance(taken.pop(place).exception(), NotFound)
    assert [each.exception() for each in taken] == [None] * 4
    assert _notes(path) == ["0", "1", "2", "3"]
    with database.write() as connection:
        _note("later")(connection)


def test_a_row_that_is_there_already_refuses_its_own_step_alone(database: Database, path: Path) -> None:
    taken = _at_once(database, [_note("one"), _note("one"), _note("two"), _note("two"), _note("three")])
    assert [type(each.exception()) for each in taken] == [
        type(None),
        Conflict,
        type(None),
        Conflict,
        type(None),
    ]
    assert _notes(path) == ["one", "two", "three"]


def test_when_every_step_is_refused_nothing_is_committed(database: Database, path: Path) -> None:
    with _statements(database) as seen:
        taken = _at_once(database, [_refuse] * 3)
    assert [type(each.exception()) for each in taken] == [NotFound] * 3
    assert "COMMIT" not in seen
    assert _notes(path) == []


# --- a commit that fails ---


def _files_full(path: Path) -> Step:
    """A step after which no file of this process may grow: the commit itself fails, as on a full disk."""

    def step(connection: Connection) -> None:
        _note("last")(connection)
        size = Path(f"{path}-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    return step


@pytest.fixture
def _files_may_grow_again() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("_files_may_grow_again")
def test_a_failed_commit_fails_all_of_the_group_and_everything_after(database: Database, path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    taken = _at_once(database, [_note("one"), _refuse, _note("two"), _files_full(path)])
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    # The refused one too: it may have been refused for what another wrote.
    assert [type(each.exception()) for each in taken] == [Unavailable] * 4
    assert all("only after a restart" in str(each.exception()) for each in taken)
    assert _notes(path) == []
    with pytest.raises(Unavailable), database.write():
        pass
    with pytest.raises(Unavailable), database.read():
        pass


def test_a_commit_that_the_database_refuses_stops_it(database: Database, path: Path) -> None:
    with database.write() as connection:
        connection.execute(
            text("CREATE TABLE children (of INTEGER REFERENCES notes DEFERRABLE INITIALLY DEFERRED)")
        )

    def orphan(connection: Connection) -> None:
        connection.execute(text("INSERT INTO children VALUES (99)"))

    taken = _at_once(database, [_note("one"), orphan, _note("two")])
    # No table of the broker has such a constraint: what else a commit was refused for is not known.
    assert [type(each.exception()) for each in taken] == [Unavailable] * 3
    assert _notes(path) == []
    with pytest.raises(Unavailable), database.write():
        pass


def test_a_file_that_vanishes_under_a_group_fails_all_of_it(database: Database, path: Path) -> None:
    def delete(connection: Connection) -> None:
        _note("last")(connection)
        path.unlink()

    taken = _at_once(database, [_note("one"), _note("two"), delete, _note("three")])
    assert [type(each.exception()) for each in taken] == [Unavailable] * 4
    assert not path.exists()


def test_a_disk_that_is_full_in_one_step_fails_those_before_and_after(database: Database, path: Path) -> None:
    def fill(connection: Connection) -> None:
        connection.execute(text("PRAGMA max_page_count=20"))
        _note("x" * 20 * 4096)(connection)

    taken = _at_once(database, [_note("one"), fill, _note("two")])
    assert [type(each.exception()) for each in taken] == [Unavailable] * 3
    assert _notes(path) == []


# --- a caller that is interrupted while it waits ---


@pytest.mark.parametrize("called", [False, True])
def test_an_interrupted_caller_leaves_its_place_and_holds_nobody_up(
    database: Database, path: Path, called: bool
) -> None:
    assert database._steps is not None
    queue, begun, go = database._steps._queue, threading.Event(), threading.Event()

    def first() -> None:
        with database.write() as connection:
            _note("one")(connection)
            begun.set()
            assert go.wait(PATIENCE_SECONDS)

    def interrupt(_number: int, _frame: object) -> None:
        if called:
            # The turn has come to the one who is just being interrupted, and the first relies on it.
            go.set()
            _wait_until(lambda: not queue)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with ThreadPoolExecutor(1) as pool:
            one = pool.submit(first)
            assert begun.wait(PATIENCE_SECONDS)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(KeyboardInterrupt), database.write():
                pass
            go.set()
            one.result(PATIENCE_SECONDS)
    finally:
        signal.signal(signal.SIGALRM, before)
    with database.write() as connection:
        _note("two")(connection)
    assert _notes(path) == ["one", "two"]


# --- the log ---


def test_entries_of_a_group_have_no_gap_and_no_double_index_and_each_receipt_holds(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'log.sqlite3'}")
    migrate.upgrade(database)
    counter = itertools.count()
    audit = AuditLog(ORIGIN, KEY, lambda size: next(counter).to_bytes(size, "big"), trial=True)
    received: list[Receipt] = []

    def append(connection: Connection) -> None:
        record = BundleActivated(
            bundle_digest=os.urandom(32), previous_digest=None, valid_from=NOW, approvals=("a.b.c", "d.e.f")
        )
        receipt = audit.append(connection, RecordKind.BUNDLE_ACTIVATED, record, NOW)
        received.append(receipt)

    def append_and_fail(connection: Connection) -> None:
        append(connection)
        received.pop()
        raise NotFound("Stop.")

    steps = [append_and_fail if number % 3 == 0 else append for number in range(12)]
    taken = _at_once(database, steps)
    assert [each.exception() is None for each in taken] == [number % 3 != 0 for number in range(12)]
    with database.read() as connection:
        head = rederive(SqlLogStorage(connection))
        paths = {size: audit.consistency(connection, size, head.size).path for size in range(1, head.size)}
    assert [each.proof.index for each in received] == list(range(8))
    assert head.size == 8
    for receipt in received:
        shown = receipts.verify_log_proof(receipt.proof, ORIGIN, public_bytes(KEY)).checkpoint
        # Each is proved to the head that ends with it, and that is the beginning of what was committed.
        assert shown.size == receipt.proof.index + 1
        merkle.verify_consistency(shown.size, 8, paths.get(shown.size, ()), shown.root, head.root)
    database.close()
