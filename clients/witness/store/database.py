"""Open the witness's database, and hand out transactions.

Rule: SQLite with WAL and synchronous=FULL, one process to a file, one writer at a time: what `write` returns from is on
the disk (C2SP tlog-witness: persisted before the answer). Before each transaction and commit the open files are
compared with those of that name (device and inode), since writes to a deleted file still "succeed": a witness that
forgets could cosign a second history. After a fault nothing more is cosigned. It holds no query.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from broker.protocol.errors import Conflict, Unavailable
from clients.witness.store.tables import METADATA

__all__ = ["Connection", "Database"]

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL")
_FAILED = "The witness's database failed earlier, so nothing is cosigned now. Restart the service."


class Database:
    """One open database file. `read` and `write` give connections inside a transaction."""

    def __init__(self, path: Path) -> None:
        """Open or make the database. Raises Conflict (another process owns it) or Unavailable (damaged)."""
        self.path = path
        self._lock_file = _own_file(path)
        self._write_lock = threading.Lock()
        self._failed = False
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._engine = create_engine(
            f"sqlite:///{path}", connect_args={"check_same_thread": False, "timeout": 30}, max_overflow=40
        )
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)
        # One connection stays open for good: the last one to close would delete the write-ahead log, and then its
        # inode could not be told from that of a file put in its place.
        try:
            self._keeper = self._engine.connect()
            METADATA.create_all(self._keeper)
            self._keeper.commit()
        except DatabaseError as error:
            self._engine.dispose()
            os.close(self._lock_file)
            raise Unavailable("The witness's database file is damaged. Keep it, and start anew.") from error
        self._identity = self._found()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in one snapshot; what it writes is rolled back. Raises Unavailable on a fault."""
        self._check_same_files()
        try:
            with self._engine.connect().execution_options(narrowgate_read=True) as connection:
                transaction = connection.begin()
                try:
                    yield connection
                finally:
                    transaction.rollback()
        except SQLAlchemyError as error:
            raise Unavailable("The witness's database cannot be read now. Try again later.") from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in one transaction: durable when the block has ended, rolled back when it raises.

        Raises Unavailable when a statement or the commit fails; every later call is then refused too."""
        with self._write_lock:
            self._check_same_files()
            try:
                with self._engine.connect() as connection:
                    transaction = connection.begin()
                    try:
                        yield connection
                        self._check_same_files()
                        transaction.commit()
                    except BaseException:
                        transaction.rollback()
                        raise
            except SQLAlchemyError as error:
                self._failed = True
                raise Unavailable(
                    "The checkpoint could not be remembered, so it was not cosigned."
                ) from error

    def close(self) -> None:
        """Close every connection and give the file up."""
        self._keeper.close()
        self._engine.dispose()
        os.close(self._lock_file)

    def _found(self) -> tuple[tuple[int, int], ...]:
        found = (os.stat(self.path), os.stat(f"{self.path}-wal"))
        return tuple((each.st_dev, each.st_ino) for each in found)

    def _check_same_files(self) -> None:
        if self._failed:
            raise Unavailable(_FAILED)
        try:
            same = self._found() == self._identity
        except OSError:
            same = False
        if not same:
            self._failed = True
            raise Unavailable("The witness's database file was replaced. Nothing more is cosigned.")


def _own_file(path: Path) -> int:
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise Conflict("The witness runs already on this folder. Stop the service first.") from error
    return lock


def _prepare(connection: Any, _record: Any) -> None:
    # The driver must leave BEGIN to us, else a read upgraded to a write can fail half-way.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("narrowgate_read")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
