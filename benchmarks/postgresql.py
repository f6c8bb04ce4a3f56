"""COPY against executemany, and dropping a partition against DELETE, on a PostgreSQL started for it.

Run: python -m benchmarks.postgresql [RECORDS]

Figures of one run are comparable with one another only; the last column is the ratio to the other way of the pair.
The server keeps its defaults, so every commit is synced to the disk that the temporary folder is on.
"""

import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, insert, text

from broker.protocol.messages.deposits import Record
from broker.store import migrate, partitions
from broker.store.database import Database
from broker.store.tables import records
from tests.databases import Server

SEALED_BYTES = 540
BATCH = 10_000
COPIED, INSERTED, WRITTEN_ANEW = 1, 2, 3


def main(size: int) -> None:
    """Print the figures."""
    server = Server()
    try:
        database = Database(server.new(Path()))
        _measure(database, size)
        database.close()
    finally:
        server.stop()


def _measure(database: Database, size: int) -> None:
    migrate.upgrade(database)
    with database.write() as connection:
        for number in (COPIED, INSERTED, WRITTEN_ANEW):
            partitions.add(connection, number)
    stored = [
        Record(token, 1, secrets.token_bytes(SEALED_BYTES))
        for token in sorted(secrets.token_bytes(16) for _ in range(size))
    ]
    batches = [stored[at : at + BATCH] for at in range(0, size, BATCH)]
    print(f"{size:,} records of {SEALED_BYTES} bytes in batches of {BATCH:,}; PostgreSQL, one connection")
    copied = _time(lambda: _each(database, batches, lambda c, batch: partitions.copy_in(c, COPIED, batch)))
    inserted = _time(lambda: _each(database, batches, lambda c, batch: _insert(c, INSERTED, batch)))
    _print("store: COPY, binary", size, copied, 1.0)
    _print("store: executemany", size, inserted, inserted / copied)
    _each(database, batches, lambda c, batch: partitions.copy_in(c, WRITTEN_ANEW, batch))
    dropped = _time(lambda: _drop(database, COPIED))
    deleted = _time(lambda: _delete(database, INSERTED))
    anew = _time(lambda: _write_anew(database, WRITTEN_ANEW))
    _print("forget all: empty and drop the partition", size, dropped, 1.0)
    _print("forget all: DELETE and VACUUM FULL", size, deleted, deleted / dropped)
    _print("forget one: write the rest anew", size, anew, anew / dropped)


def _each(
    database: Database, batches: list[list[Record]], step: Callable[[Connection, list[Record]], None]
) -> None:
    for batch in batches:
        with database.write() as connection:
            step(connection, batch)


def _insert(connection: Connection, number: int, batch: list[Record]) -> None:
    rows = [
        {
            "deposit_number": number,
            "token": each.token,
            "record_version": each.record_version,
            "sealed": each.sealed,
        }
        for each in batch
    ]
    connection.execute(insert(records), rows)


def _drop(database: Database, number: int) -> None:
    with database.write() as connection:
        partitions.empty(connection, number)
    with database.write() as connection:
        partitions.drop(connection, number)


def _delete(database: Database, number: int) -> None:
    with database.write() as connection:
        connection.execute(text("DELETE FROM records WHERE deposit_number = :number"), {"number": number})
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"VACUUM FULL {partitions.name_of(number)}"))


def _write_anew(database: Database, number: int) -> None:
    with database.write() as connection:
        partitions.write_anew(connection, partitions.name_of(number))


def _time(step: Callable[[], None]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def _print(name: str, size: int, seconds: float, ratio: float) -> None:
    print(f"  {name:<44} {seconds:8.3f} s {size / seconds:12,.0f} records a second {ratio:8.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
