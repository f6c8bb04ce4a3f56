"""A key holder's whole database at once, looked at in one snapshot without changing it.

Rule: as the broker's `broker.store.whole`. The file is opened read-only past `Database`, under the lock that a service
takes, so that neither it nor its write-ahead log changes; memory does not grow with the tables. It knows tables and no
meaning of them.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, create_engine, event, func, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from broker.protocol.errors import NotFound, VerificationFailed
from broker.translog.stored import StoredEntry
from clients.keyholder.store.database import own_file
from clients.keyholder.store.tables import METADATA, log_leaves, log_records

Row = Mapping[str, Any]
_ROWS_AT_ONCE = 500
_UNREADABLE = (
    "The file cannot be read to its end: it is damaged. Keep it as evidence, and put the newest backup back."
)


@contextmanager
def snapshot(path: Path) -> Iterator[Connection]:
    """A connection that sees one state of the database and changes nothing.

    Raises NotFound (there is no such file), Conflict (a service runs on it) or VerificationFailed (it is damaged)."""
    if not path.is_file():
        raise NotFound("There is no database yet: the key holder was never started, or its file is gone.")
    lock = own_file(path)
    engine = create_engine("sqlite://", creator=lambda: _opened(path), poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except SQLAlchemyError as error:
        raise VerificationFailed(_UNREADABLE) from error
    finally:
        engine.dispose()
        os.close(lock)


def _opened(path: Path) -> sqlite3.Connection:
    opened = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, check_same_thread=False)
    # BEGIN is ours, as in `Database`.
    opened.isolation_level = None
    return opened


def differences(connection: Connection) -> Sequence[str]:
    """Tables and columns that a database lacks against this release's, by name."""
    found = inspect(connection)
    there = {name: {each["name"] for each in found.get_columns(name)} for name in found.get_table_names()}
    return [
        name if name not in there else f"{name}.{column}"
        for name, table in METADATA.tables.items()
        for column in ([""] if name not in there else table.c.keys())
        if column not in there.get(name, set())
    ]


def rows(connection: Connection, table: str, order: str) -> Iterator[Row]:
    """The rows of a table by the values of a column; a few in memory at a time."""
    found = METADATA.tables[table]
    query = select(found).order_by(found.c[order], *found.primary_key)
    for row in connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
        yield row._asdict()


def some(connection: Connection, table: str, **where: Any) -> Sequence[Row]:
    """The rows with these values; for a few."""
    found = METADATA.tables[table]
    query = select(found).where(*(found.c[name] == value for name, value in where.items()))
    return [row._asdict() for row in connection.execute(query)]


def number(connection: Connection, table: str, **where: Any) -> int:
    """How many rows there are, or how many with these values."""
    found = METADATA.tables[table]
    query = select(func.count()).select_from(found)
    wanted = query.where(*(found.c[name] == value for name, value in where.items()))
    return int(connection.execute(wanted).scalar_one())


def strays(connection: Connection, table: str, name: str, other: str) -> Sequence[Any]:
    """The values of a column that no row of another table has in its column of that name; at most 100."""
    found, owner = METADATA.tables[table], METADATA.tables[other]
    query = select(found.c[name]).distinct().where(found.c[name].not_in(select(owner.c[name])))
    return connection.execute(query.limit(100)).scalars().all()


def entries(connection: Connection) -> Iterator[StoredEntry]:
    """Every leaf of the holder's log with its record and salt, in order."""
    beside = log_records.c.leaf_index == log_leaves.c.leaf_index
    query = select(
        log_leaves, log_records.c.leaf_index.label("recorded"), log_records.c.record, log_records.c.salt
    ).select_from(log_leaves.outerjoin(log_records, beside))
    ordered = query.order_by(log_leaves.c.leaf_index).execution_options(yield_per=_ROWS_AT_ONCE)
    for row in connection.execute(ordered):
        yield StoredEntry(row.leaf_index, row.leaf, row.recorded is not None, row.record, row.salt)
