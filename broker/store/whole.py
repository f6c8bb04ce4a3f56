"""The whole database at once: looked at in one snapshot without changing it, streamed row by row, and filled anew.

Rule: whoever looks sees one state, and memory does not grow with the tables. SQLite is opened read-only past
`Database`, so that neither the file nor its write-ahead log changes; beside a running broker it holds that log's
truncation up while it reads, and nothing else. PostgreSQL is read as always, in a snapshot of its own. It knows tables
and no meaning of them.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    Connection,
    NullPool,
    Table,
    bindparam,
    column,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy import table as named_table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from broker.protocol.errors import Conflict, NotFound, VerificationFailed
from broker.store import partitions
from broker.store.database import Database, own_file
from broker.store.deposits import GONE_STATES
from broker.store.locks import READING
from broker.store.tables import METADATA, deposits, log_leaves, log_records, records

Row = Mapping[str, Any]
_ROWS_AT_ONCE = 500
_UNREADABLE = (
    "The database file cannot be read to its end: it is damaged. Keep it as evidence, and restore the newest "
    "backup."
)
# Records refer to nothing, but their partitions are made for the deposits that are there.
TABLES: Mapping[str, Table] = {
    table.name: table for table in sorted(METADATA.sorted_tables, key=lambda each: each is records)
}
"""Every table, those that others refer to first, and records last."""


@contextmanager
def snapshot(url: str, *, alone: bool) -> Iterator[Connection]:
    """A connection that sees one state of the database and changes nothing.

    Args:
        alone: of a SQLite file, take the lock that a broker takes: nobody writes meanwhile.

    Raises NotFound (there is no such file), Conflict (a broker runs on it), VerificationFailed (the file is damaged) or
    Unavailable (the server cannot be read)."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        database = Database(url)
        try:
            with database.read() as connection:
                yield connection
        finally:
            database.close()
        return
    path = Path(parsed.database or "").resolve()
    if not path.is_file():
        raise NotFound("There is no database yet: the broker was never started, or its file is gone.")
    lock = own_file(path) if alone else None
    engine = create_engine("sqlite://", creator=lambda: _opened(path), poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    try:
        with engine.connect().execution_options(**{READING: True}) as connection, connection.begin():
            yield connection
    except SQLAlchemyError as error:
        raise VerificationFailed(_UNREADABLE) from error
    finally:
        engine.dispose()
        if lock is not None:
            os.close(lock)


def _opened(path: Path) -> sqlite3.Connection:
    opened = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, check_same_thread=False)
    # BEGIN is ours, as in `Database`.
    opened.isolation_level = None
    return opened


def writes_ahead(connection: Connection) -> bool:
    """Whether a SQLite file is in WAL mode, as `Database` leaves it; PostgreSQL refuses unsafe settings by itself."""
    if connection.dialect.name != "sqlite":
        return True
    return bool(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal")


def rows(connection: Connection, table: str, **where: Any) -> Iterator[Row]:
    """The rows of a table, or those with these values, in the order of its key; a few in memory at a time."""
    found = TABLES[table]
    query = select(found).where(*(found.c[name] == value for name, value in where.items()))
    ordered = query.order_by(*found.primary_key).execution_options(yield_per=_ROWS_AT_ONCE)
    for row in connection.execute(ordered):
        yield row._asdict()


def every(connection: Connection, table: str) -> Iterator[Row]:
    """All rows of a table; records a deposit at a time, which PostgreSQL keeps apart."""
    if table != records.name:
        yield from rows(connection, table)
        return
    for deposit_number in (
        connection.execute(select(deposits.c.deposit_number).order_by(deposits.c.deposit_number))
        .scalars()
        .all()
    ):
        yield from rows(connection, table, deposit_number=deposit_number)


def some(connection: Connection, table: str, **where: Any) -> Sequence[Row]:
    """The rows with these values; for a few."""
    found = TABLES[table]
    query = select(found).where(*(found.c[name] == value for name, value in where.items()))
    return [row._asdict() for row in connection.execute(query)]


def number(connection: Connection, table: str, **where: Any) -> int:
    """How many rows there are, or how many with these values."""
    found = TABLES[table]
    query = select(func.count()).select_from(found)
    return int(
        connection.execute(
            query.where(*(found.c[name] == value for name, value in where.items()))
        ).scalar_one()
    )


def strays(connection: Connection, table: str, name: str, other: str) -> Sequence[Any]:
    """The values of a column that no row of another table has in its column of that name; at most 100."""
    found, owner = TABLES[table], TABLES[other]
    query = select(found.c[name]).distinct().where(found.c[name].not_in(select(owner.c[name])))
    return connection.execute(query.limit(100)).scalars().all()


_ENTRIES = select(
    log_leaves.c.leaf_index,
    log_leaves.c.leaf,
    log_records.c.leaf_index.label("recorded"),
    log_records.c.record,
    log_records.c.salt,
).select_from(log_leaves.outerjoin(log_records, log_records.c.leaf_index == log_leaves.c.leaf_index))
_ENTRY = _ENTRIES.where(log_leaves.c.leaf_index == bindparam("index"))


def entries(connection: Connection) -> Iterator[Row]:
    """Every leaf with its record and salt, in order; of a leaf without a row for its record, `recorded` is None."""
    query = _ENTRIES.order_by(log_leaves.c.leaf_index).execution_options(yield_per=_ROWS_AT_ONCE)
    for row in connection.execute(query):
        yield row._asdict()


def entry_at(connection: Connection, index: int) -> Row | None:
    """One of them, if it is there."""
    row = connection.execute(_ENTRY, {"index": index}).one_or_none()
    return None if row is None else row._asdict()


# --- filling anew ---


def is_empty(connection: Connection) -> bool:
    """Whether no table of ours holds a row; those that are not there hold none."""
    there = set(inspect(connection).get_table_names())
    return not any(
        connection.execute(select(1).select_from(table).limit(1)).first()
        for name, table in TABLES.items()
        if name in there
    )


def fill(connection: Connection, table: str, columns: Sequence[str], filled: Iterable[Sequence[Any]]) -> None:
    """Put rows into a table. Raises Conflict for a table or column that this schema has not."""
    if table not in TABLES or not set(columns) <= set(TABLES[table].c.keys()):
        raise Conflict("The backup has a table or column that this release does not know.")
    into = insert(named_table(table, *(column(name, TABLES[table].c[name].type) for name in columns)))
    batch: list[dict[str, Any]] = []
    for values in filled:
        batch.append(dict(zip(columns, values, strict=True)))
        if len(batch) == _ROWS_AT_ONCE:
            connection.execute(into, batch)
            batch = []
    if batch:
        connection.execute(into, batch)
    if table == deposits.name and partitions.in_use(connection):
        kept = select(deposits.c.deposit_number).where(deposits.c.state.not_in(GONE_STATES))
        for deposit_number in connection.execute(kept).scalars().all():
            partitions.add(connection, deposit_number)


def go_on_counting(connection: Connection) -> None:
    """Let numbers that the database gives out go on after the largest that is there; SQLite does so by itself."""
    if connection.dialect.name == "sqlite":
        return
    for name, table in TABLES.items():
        given = table.autoincrement_column
        if given is not None and given.autoincrement is True:
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{name}', '{given.name}'), max({given.name}))"  # noqa: S608
                    f" FROM {name} HAVING max({given.name}) IS NOT NULL"
                )
            )
