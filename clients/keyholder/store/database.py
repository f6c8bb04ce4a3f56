"""Open the key holder's database, and hand out transactions.

Rule: SQLite with WAL, synchronous=FULL and secure_delete; one process owns the file, a second is refused. Before each
transaction and commit the open files are compared with those of that name (device and inode), since writes to a
deleted file still "succeed". After each commit the head of the log is told to who marks it outside (`high_water`), and
only then does `write` return. After a fault nothing more is read or written. It holds no query.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError, SQLAlchemyError

from broker.protocol.errors import Conflict, Unavailable
from broker.translog.storage import Head
from clients.keyholder.store.log import SqlLogStorage
from clients.keyholder.store.upgrade import upgrade

__all__ = ["Connection", "Database"]

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
_FAILED = "The key holder's database failed earlier, so nothing is evaluated now. Restart the service."
_DAMAGED = "The key holder's database file is damaged or cut short. Keep it, and put the newest backup back."
_REPLACED = "The key holder's database file was replaced. Nothing more is recorded or evaluated."


class Database:
    """One open database file. `read` and `write` give connections inside a transaction."""

    def __init__(self, path: Path, committed: Callable[[Head], None] = lambda head: None) -> None:
        """Open or make the database at `path`.

        Args:
            committed: given the log's head after each commit, before `write` returns; what it raises, `write` raises.

        Raises Conflict when another process owns the file, Unavailable when it is damaged."""
        self.path = path
        self._committed = committed
        self._lock_file = own_file(path)
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
            upgrade(self._keeper)
            self._keeper.commit()
        except DatabaseError as error:
            self._engine.dispose()
            os.close(self._lock_file)
            raise Unavailable(_DAMAGED) from error
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
            raise Unavailable("The key holder's database cannot be read now. Try again later.") from error

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
                        head = SqlLogStorage(connection).head()
                        self._check_same_files()
                        transaction.commit()
                    except BaseException:
                        transaction.rollback()
                        raise
                self._tell(head)
            except IntegrityError as error:
                raise Conflict("Another call wrote this first. Ask for the current state.") from error
            except SQLAlchemyError as error:
                # One process owns the file, so a failed statement is a full or failing disk.
                self._failed = True
                raise Unavailable("The step could not be recorded, so it was not taken.") from error

    def _tell(self, head: Head) -> None:
        try:
            self._committed(head)
        except BaseException:
            # What was committed stands, and its answer must not leave.
            self._failed = True
            raise

    def empty_wal(self) -> None:
        """Move the write-ahead log into the database file and truncate it, so that deleted rows are gone from both.

        Raises Unavailable when a reader keeps the log from being emptied: repeat the step."""
        with self._write_lock:
            self._check_same_files()
            raw = self._engine.raw_connection()
            try:
                cursor = raw.cursor()
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                busy = (cursor.fetchone() or (1,))[0]
                cursor.close()
            finally:
                raw.close()
        if busy:
            raise Unavailable("The erased rows are still in the write-ahead log. Repeat the call.")

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
            raise Unavailable(_REPLACED)


def own_file(path: Path) -> int:
    """Take the file for this process, until the descriptor returned is closed. Raises Conflict."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise Conflict("The key holder runs already on this folder. Stop the service first.") from error
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
