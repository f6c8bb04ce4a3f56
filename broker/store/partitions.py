"""PostgreSQL's own way with records: a partition of `records` for each deposit, and COPY into it.

Rule (decision 0007): rows that are deleted are gone from the table's file when the transaction commits that logs it.
A whole deposit's partition is truncated, which takes a lock on that partition alone; the empty partition is dropped in
a transaction of its own, since that shuts out every reader for a moment. Where some rows go, the rest is written
anew, since a deleted row's bytes would stay in its page. No statistics are kept of tokens or sealed bytes: they would
be copies. The write-ahead log is the server's (docs/data-model.md). It decides nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection, text

from broker.protocol.messages.deposits import Record

PREFIX = "records_"
_COPY = "COPY records (deposit_number, token, record_version, sealed) FROM STDIN (FORMAT BINARY)"
_HELD = "SELECT token FROM records WHERE deposit_number = %b AND token = ANY(%b)"
_TYPES = ("int8", "bytea", "int8", "bytea")
_GONE = text(
    "SELECT d.deposit_number FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " JOIN deposits d ON c.relname = 'records_' || d.deposit_number"
    " WHERE i.inhparent = CAST('records' AS regclass) AND d.state IN ('withdrawn', 'expired')"
    " ORDER BY d.deposit_number"
)


def in_use(connection: Connection) -> bool:
    """Whether this database has them."""
    return connection.dialect.name != "sqlite"


def name_of(deposit_number: int) -> str:
    """The partition's table."""
    return f"{PREFIX}{int(deposit_number)}"


def add(connection: Connection, deposit_number: int) -> None:
    """Make the partition of a new deposit.

    It is made as a table and attached, since CREATE TABLE ... PARTITION OF would shut out whoever reads `records`."""
    name = name_of(deposit_number)
    for statement in (
        f"CREATE TABLE {name} (LIKE records INCLUDING ALL)",
        f"ALTER TABLE {name} ALTER COLUMN token SET STATISTICS 0, ALTER COLUMN sealed SET STATISTICS 0,"
        " ALTER COLUMN sealed SET STORAGE EXTERNAL",
        f"ALTER TABLE records ATTACH PARTITION {name} FOR VALUES IN ({int(deposit_number)})",
    ):
        connection.execute(text(statement))


def copy_in(connection: Connection, deposit_number: int, batch: Sequence[Record]) -> None:
    """Store records with one COPY. Raises psycopg.Error, which `Database.write` knows."""
    with _driver(connection).cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for record in batch:
            copy.write_row((deposit_number, record.token, record.record_version, record.sealed))


def held(connection: Connection, asked: Mapping[int, Sequence[bytes]]) -> dict[int, list[bytes]]:
    """Those of the tokens asked of each deposit that it holds. All queries go out together, and their answers come
    together. Raises psycopg.Error, which `Database` knows."""
    driver = _driver(connection)
    with driver.pipeline():
        cursors = {
            number: driver.cursor(binary=True).execute(_HELD, (number, list(tokens)), prepare=True)
            for number, tokens in asked.items()
        }
        return {number: [row[0] for row in cursor.fetchall()] for number, cursor in cursors.items()}


def empty(connection: Connection, deposit_number: int) -> int:
    """Take all rows of a deposit away, and their bytes at the commit. Returns how many there were."""
    name = name_of(deposit_number)
    # Locked before it is counted: whoever matches against these rows has ended, or sees none of them.
    connection.execute(text(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"))
    rows = int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one())  # noqa: S608 - a number
    connection.execute(text(f"TRUNCATE {name}"))
    return rows


def write_anew(connection: Connection, table: str) -> None:
    """Let a table have its live rows in a new file; the old one goes at the commit. Nobody reads it meanwhile.

    VACUUM FULL would keep rows that an older snapshot still sees, and CLUSTER those this transaction deleted."""
    for statement in (
        f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE",
        f"CREATE TEMPORARY TABLE live_rows ON COMMIT DROP AS SELECT * FROM {table}",  # noqa: S608
        f"TRUNCATE {table}",
        f"INSERT INTO {table} SELECT * FROM live_rows",  # noqa: S608 - a table's name, of ours
        "DROP TABLE live_rows",
    ):
        connection.execute(text(statement))


def wait_at_most(connection: Connection, time: str) -> None:
    """Let this transaction give up when a lock is not to be had for that long, such as 5s."""
    connection.execute(text("SELECT set_config('lock_timeout', :time, true)"), {"time": time})


def gone(connection: Connection) -> tuple[int, ...]:
    """The deposits that are withdrawn or expired and whose empty partitions are still there."""
    return tuple(int(number) for number in connection.execute(_GONE).scalars())


def drop(connection: Connection, deposit_number: int) -> None:
    """Drop the empty partition of a deposit that is gone; call it first in a transaction of its own.

    It waits a second at most for those who read `records`, because others are let in only after it."""
    wait_at_most(connection, "1s")
    connection.execute(text(f"DROP TABLE IF EXISTS {name_of(deposit_number)}"))


def _driver(connection: Connection) -> psycopg.Connection[tuple[Any, ...]]:
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("the connection is not one of psycopg")
    return driver
