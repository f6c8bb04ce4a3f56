"""Open the broker's database, and hand out transactions.

Rule: SQLite runs in WAL with synchronous=FULL and secure_delete, and one process owns the file: a second refuses.
Before each commit, and before each read, the open files are compared with the files of that name
(`broker.store.open_files`). After a fault nothing more is written or read. Steps that come
at once share a commit (`broker.store.group_commit`).

PostgreSQL may be shared by several brokers. Each connection refuses a server with fsync, full_page_writes or
synchronous_commit off, and keeps the synchronous_commit that it found. Writes run at READ COMMITTED, whatever the
server's default: a step locks what it decides on (`broker.store.locks`), and the statement after the wait sees what
the step before it left, where a stricter level would fail instead. Reads run at REPEATABLE READ, one snapshot,
read-only. A lost connection, a deadlock or a lock that is not to be had in time is Unavailable for that one call:
nothing is retried in here, since a block has read a clock and drawn randomness, and the caller's own retry is safe
because every step is idempotent.

It holds no query.
"""

import fcntl
import os
import select
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidatePoolError, SQLAlchemyError

from broker.protocol.errors import BadInput, Conflict, Unavailable
from broker.store import partitions
from broker.store.group_commit import GroupCommit
from broker.store.locks import READING
from broker.store.open_files import OpenFiles

__all__ = ["Connection", "Database"]

_FAILED = "The database failed earlier, so nothing is recorded or disclosed now. Restart the broker."
_NOT_TAKEN = "The step could not be recorded, so it was not taken."
_NOT_KNOWN = (
    "The database went away while the step was being recorded, so whether it was taken is not known. "
    "Repeat the very same call: it is answered as it stands."
)
_NOT_OPENED = (
    "The broker's database file cannot be opened: it is damaged or cut short, or its disk is full or fails. Make room; "
    "if that does not help, keep the file as evidence and put the newest backup back."
)
_OTHER_FIRST = "Another call wrote this first."
_ERRORS = (SQLAlchemyError, psycopg.Error, sqlite3.Error)
"""Both drivers' own errors are among them, where a statement goes to the driver itself."""
_CONNECT = {"connect_timeout": "10", "tcp_user_timeout": "30000"}
_NEVER = 1_000_000_000
"""Calls after which psycopg keeps a statement's plan of itself: one kept for any deposit would lock the partitions of
all. The log's own statements touch no partitions and ask for theirs to be kept (`broker.store.log`)."""
_SESSION = (
    # What was found on stays on: a setting of the session is not changed by a server that reads its settings anew.
    "SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false)",
    # A broker that is stuck holds up the others for so long, and no longer.
    "SET lock_timeout = '30s'",
    "SET idle_in_transaction_session_timeout = '60s'",
)


class Database:
    """One open database. `read` and `write` give connections inside a transaction."""

    def __init__(self, url: str) -> None:
        """Open `url` (sqlite:///PATH or postgresql+psycopg://...). PostgreSQL is called at the first transaction.

        Raises BadInput, Conflict when another process owns the SQLite file, or Unavailable when that is damaged."""
        parsed = _parse(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.path: Path | None = None
        self._lock_file: int | None = None
        self._files: OpenFiles | None = None
        self._keeper: Connection | None = None
        self._steps: GroupCommit | None = None
        self._failed = False
        if not self.is_sqlite:
            self.engine = _postgresql(parsed)
            return
        if not parsed.database or parsed.database == ":memory:":
            raise Conflict("The broker's database needs a file: sqlite:///PATH.")
        self.path = Path(parsed.database)
        self._lock_file = own_file(self.path)
        self.engine = create_engine(
            url, connect_args={"check_same_thread": False, "timeout": 30}, pool_size=8, max_overflow=40
        )
        event.listen(self.engine, "connect", _prepare_sqlite)
        event.listen(self.engine, "begin", _begin_immediate)
        self._steps = GroupCommit(
            self.engine, self._check_not_failed, self._check_same_files, _is_fault, self._stop
        )
        try:
            self._keep_files_open(self.path)
        except (*_ERRORS, OSError) as error:
            self.close()
            raise Unavailable(_NOT_OPENED) from error

    def _keep_files_open(self, path: Path) -> None:
        # One connection stays open for good: the last one to close would delete the write-ahead log, and then its
        # inode could not be told from that of a file put in its place.
        self._keeper = self.engine.connect()
        self._keeper.begin().rollback()
        self._files = OpenFiles(path)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in one snapshot; what it writes is rolled back. Raises Unavailable on a fault."""
        self._check_same_files()
        options: dict[str, Any] = {READING: True}
        if not self.is_sqlite:
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        try:
            with self.engine.connect().execution_options(**options) as connection:
                transaction = connection.begin()
                try:
                    yield connection
                finally:
                    transaction.rollback()
        except _ERRORS as error:
            self._failed = self._failed or (self.is_sqlite and _is_broken(error))
            raise Unavailable("The database cannot be read now. Nothing was disclosed.") from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection for one step: durable when the block ends, rolled back when it raises.

        In SQLite steps that come at once share a commit (`broker.store.group_commit`). Raises Unavailable when a
        statement or the commit fails. A row that is there already is a Conflict in SQLite; in PostgreSQL another broker
        was faster, and a repeated call finds what it left: Unavailable. After a failure of SQLite every later call is
        refused (AUDIT 3, promise 3)."""
        try:
            with self._steps.step() if self._steps else self._own_transaction() as connection:
                yield connection
        except (IntegrityError, psycopg.IntegrityError, sqlite3.IntegrityError) as error:
            if self.is_sqlite:
                raise Conflict(f"{_OTHER_FIRST} Ask for the current state.") from error
            raise Unavailable(f"{_OTHER_FIRST} Repeat the call.") from error
        except _ERRORS as error:
            raise Unavailable(_NOT_TAKEN) from error

    @contextmanager
    def _own_transaction(self) -> Iterator[Connection]:
        committing = False
        try:
            with self.engine.connect() as connection, connection.begin():
                yield connection
                committing = True
        except DBAPIError as error:
            if committing and error.connection_invalidated:
                raise Unavailable(_NOT_KNOWN) from error
            raise

    def empty_wal(self) -> None:
        """Let deleted rows be gone from the database's files. Raises Unavailable when somebody is in the way.

        SQLite's write-ahead log is moved into the database file and truncated. PostgreSQL's is the server's own; there
        kept matches and released records are written anew, and empty partitions of deposits that are gone dropped."""
        if self._steps is None:
            self._tidy_postgresql()
            return
        with self._steps.alone():
            self._check_same_files()
            raw = self.engine.raw_connection()
            try:
                cursor = raw.cursor()
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                busy = (cursor.fetchone() or (1,))[0]
                cursor.close()
            finally:
                raw.close()
        if busy:
            raise Unavailable("The deleted rows are still in the write-ahead log. Repeat the call.")

    def _tidy_postgresql(self) -> None:
        try:
            with self.write() as connection:
                partitions.wait_at_most(connection, "5s")
                for table in ("matches", "released_records", "counted_sets"):
                    partitions.write_anew(connection, table)
        except Unavailable as error:
            raise Unavailable(
                "The deleted rows are still in the database's files. Repeat the call."
            ) from error
        with self.read() as connection:
            numbers = partitions.gone(connection)
        for number in numbers:
            try:
                with self.write() as connection:
                    partitions.drop(connection, number)
            except Unavailable:
                # Somebody reads. Its rows went before; the next purge drops what is left of it.
                return

    def _stop(self) -> None:
        # One process owns a SQLite file, so a failed statement is a full or failing disk.
        self._failed = True

    def _check_not_failed(self) -> None:
        if self._failed:
            raise Unavailable(_FAILED)

    def _check_same_files(self) -> None:
        self._check_not_failed()
        if self._files is None:
            return
        try:
            is_replaced = self._files.is_replaced()
        except OSError as error:
            self._failed = True
            raise Unavailable("The database file is gone. Nothing more is recorded or disclosed.") from error
        if is_replaced:
            self._failed = True
            raise Unavailable("The database file was replaced. Nothing more is recorded or disclosed.")

    def close(self) -> None:
        """Close every connection and give the file up."""
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
        if self._steps is not None:
            self._steps.close()
        self.engine.dispose()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


def _is_fault(error: BaseException) -> bool:
    return isinstance(error, _ERRORS) and not isinstance(error, IntegrityError | sqlite3.IntegrityError)


def _is_broken(error: Exception) -> bool:
    """Whether SQLite says that its file cannot be read, or is none: not a statement of ours."""
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0) & 0xFF
    return code in (
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CANTOPEN,
    )


def own_file(path: Path) -> int:
    """Take the lock of a SQLite file; closing what is returned gives it up. Raises Conflict when another has it."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise Conflict(
            "Another process owns this database. Stop it first: one broker process to one SQLite file."
        ) from error
    return lock


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must leave BEGIN to us, else a read upgraded to a write can fail half-way.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "cache_size=-16384",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # To the driver itself: composing a statement costs more than running this one, and it opens every step.
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN" if connection.get_execution_options().get(READING) else "BEGIN IMMEDIATE")


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        known = parsed.drivername in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")
    except (SQLAlchemyError, ValueError):
        known = False
    if not known:
        # Without what was given, which may hold a password; and without the error, which may repeat it.
        raise BadInput("The database_url is sqlite:///PATH or postgresql+psycopg://USER@HOST:PORT/DATABASE.")
    return parsed


def _postgresql(url: URL) -> Engine:
    given = {name: value for name, value in _CONNECT.items() if name not in url.query}
    engine = create_engine(
        url,
        connect_args={**given, "prepare_threshold": _NEVER},
        isolation_level="READ COMMITTED",
        pool_size=8,
        max_overflow=40,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "checkout", partial(_check_still_open, engine.dialect))
    return engine


def _check_still_open(dialect: Dialect, connection: Any, _record: Any, _fairy: Any) -> None:
    """Raise InvalidatePoolError, upon which another is opened, for a connection that the server has given up.

    A server sends nothing unasked but notices and its farewell, so only where there is something to read is it asked
    whether it is there: a question before each step would cost an eighth of it."""
    try:
        waiting = select.poll()
        waiting.register(connection.fileno(), select.POLLIN)
        if waiting.poll(0):
            dialect.do_ping(connection)
    except psycopg.Error as error:
        raise InvalidatePoolError from error


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            cursor.execute(f"SHOW {setting}")
            if cursor.fetchone()[0] == "off":
                connection.close()
                raise Unavailable(
                    f"PostgreSQL runs with {setting} off, which can lose recorded entries. Turn it on."
                )
        for statement in _SESSION:
            cursor.execute(statement)
    connection.commit()
