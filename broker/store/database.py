"""Open the broker's database, and hand out transactions.

Rule: SQLite runs in WAL with synchronous=FULL and secure_delete, and one process owns the file: a second refuses.
Before each commit the open file is compared with the file of that name (device and inode), since writes to a deleted
file still "succeed" (AUDIT 4). PostgreSQL with fsync, full_page_writes or synchronous_commit off is refused.
It holds no query.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from broker.protocol.errors import Conflict, Unavailable


class Database:
    """One open database. `read` and `write` give connections inside a transaction."""

    def __init__(self, url: str) -> None:
        """Open `url` (sqlite:///PATH or postgresql+psycopg://...).

        Raises Conflict when another process owns the SQLite file, Unavailable when PostgreSQL is not durable."""
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.path: Path | None = None
        self._lock_file: int | None = None
        self._identity: tuple[int, int] | None = None
        self._write_lock = threading.RLock()
        self._failed = False
        if self.is_sqlite:
            if not parsed.database:
                raise Conflict("The broker's database needs a file: sqlite:///PATH.")
            self.path = Path(parsed.database)
            self._own_file(self.path)
            self.engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 30})
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_immediate)
        else:
            self.engine = create_engine(url, pool_pre_ping=True)
            event.listen(self.engine, "connect", _refuse_unsafe_postgresql)

    def _own_file(self, path: Path) -> None:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise Conflict(
                "Another process owns this database. Stop it first: one broker process to one SQLite file."
            ) from error
        self._lock_file = lock

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in one snapshot; what it writes is rolled back."""
        with self.engine.connect().execution_options(narrowgate_read=True) as connection:
            transaction = connection.begin()
            try:
                yield connection
            finally:
                transaction.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in one transaction: committed when the block ends, rolled back when it raises.

        Raises Unavailable when the commit fails; from then on every write is refused (AUDIT 3, promise 3)."""
        with self._write_lock if self.is_sqlite else _nothing():
            if self._failed:
                raise Unavailable(
                    "The database failed earlier, so nothing is recorded now. Restart the broker."
                )
            with self.engine.connect() as connection:
                transaction = connection.begin()
                try:
                    yield connection
                except BaseException:
                    transaction.rollback()
                    raise
                self._check_same_file()
                try:
                    transaction.commit()
                except SQLAlchemyError as error:
                    self._failed = True
                    raise Unavailable("The step could not be recorded, so it was not taken.") from error

    def _check_same_file(self) -> None:
        if self.path is None:
            return
        try:
            found = os.stat(self.path)
        except OSError as error:
            self._failed = True
            raise Unavailable("The database file is gone. Nothing more is recorded or disclosed.") from error
        identity = (found.st_dev, found.st_ino)
        if self._identity is None:
            self._identity = identity
        elif self._identity != identity:
            self._failed = True
            raise Unavailable("The database file was replaced. Nothing more is recorded or disclosed.")

    def close(self) -> None:
        """Close every connection and give the file up."""
        self.engine.dispose()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must leave BEGIN to us, else a read upgraded to a write can fail half-way.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "cache_size=-65536",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    reading = connection.get_execution_options().get("narrowgate_read")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _refuse_unsafe_postgresql(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            cursor.execute(f"SHOW {setting}")
            if cursor.fetchone()[0] == "off":
                raise Unavailable(
                    f"PostgreSQL runs with {setting} off, which can lose recorded entries. Turn it on."
                )
    connection.rollback()


def checkpoint_wal(engine: Engine) -> None:
    """Move the write-ahead log into the database file and truncate it, so that deleted rows are gone from both."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
