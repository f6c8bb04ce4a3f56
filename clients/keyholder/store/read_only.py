"""A service's SQLite file looked at without changing it, beside a service that runs or in a folder at rest.

Rule: opened read-only, past the `Database` of the service, so that no lock is taken and no table made. It knows no
table.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from broker.protocol.errors import NotFound, VerificationFailed

_DAMAGED = "The database file is damaged, or is none."


@contextmanager
def snapshot(path: Path) -> Iterator[Connection]:
    """A connection that sees one state of the database and changes nothing.

    Raises NotFound (there is no file) or VerificationFailed (it is damaged)."""
    if not path.is_file():
        raise NotFound("There is no database yet.")
    engine = create_engine("sqlite://", creator=lambda: _opened(path.resolve()), poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except SQLAlchemyError as error:
        raise VerificationFailed(_DAMAGED) from error
    finally:
        engine.dispose()


def check_sound(connection: Connection) -> None:
    """Raises VerificationFailed for a file whose pages do not fit, or that is not written ahead (WAL)."""
    if connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() != "ok":
        raise VerificationFailed(_DAMAGED)
    if connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal":
        raise VerificationFailed(
            "The database file is not set to write ahead (WAL): it was written by another program."
        )


def _opened(path: Path) -> sqlite3.Connection:
    opened = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, check_same_thread=False)
    # BEGIN is ours, as in the service's `Database`.
    opened.isolation_level = None
    return opened
