"""The log in the broker's database: `translog`'s storage over SQL, and the records beside the leaves.

Rule: everything runs in the caller's transaction, so that an entry and what it records are durable together. An entry
belongs to each step of each party, so what it needs goes to the driver itself, whose errors `Database` knows: composing
a statement costs more than running it. It computes no hash and signs nothing.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import psycopg
from sqlalchemy import ColumnElement, Connection, func, literal, select, update

from broker.protocol.errors import Conflict
from broker.protocol.merkle import EMPTY_ROOT
from broker.store import locks, partitions
from broker.store.tables import log_leaves, log_records
from broker.translog.storage import EMPTY_HEAD, Head, LogRow

_LEAVES_PER_QUERY = 256
_HEAD = 'SELECT size, root FROM log_head WHERE "only" = 1'
_FIRST_HEAD = (
    'INSERT INTO log_head ("only", size, root) SELECT 1, 0, ? WHERE NOT EXISTS (SELECT 1 FROM log_head)'
)
# The head goes before the rows: of two writers the second finds here that it moved. A leaf that is missing or too many
# does too, since every proof would tell of another log than the one that is stored.
_MOVE_HEAD = (
    'UPDATE log_head SET size = ?, root = ? WHERE "only" = 1 AND size = ? AND root = ?'
    " AND COALESCE((SELECT MAX(leaf_index) FROM log_leaves), -1) + 1 = ?"
)
_ADD_LEAF = "INSERT INTO log_leaves (leaf_index, leaf, hashes) VALUES (?, ?, ?)"
_ADD_RECORD = "INSERT INTO log_records (leaf_index, record, salt) VALUES (?, ?, ?)"
# One statement, one round trip, from the moment at which the head is locked.
_GROW = (
    f"WITH moved AS ({_MOVE_HEAD} RETURNING 1),"  # noqa: S608 - places for values only
    " added_leaves AS (INSERT INTO log_leaves (leaf_index, leaf, hashes)"
    " SELECT * FROM unnest(CAST(? AS int8[]), CAST(? AS bytea[]), CAST(? AS bytea[]))"
    " WHERE EXISTS (SELECT 1 FROM moved)),"
    " added_records AS (INSERT INTO log_records (leaf_index, record, salt)"
    " SELECT * FROM unnest(CAST(? AS int8[]), CAST(? AS bytea[]), CAST(? AS bytea[]))"
    " WHERE EXISTS (SELECT 1 FROM moved))"
    " SELECT 1 FROM moved"
)
_KEPT = frozenset({_HEAD, f"{_HEAD} FOR UPDATE", _GROW})
"""Whose plans PostgreSQL keeps: to plan the second takes longer than to run it."""
_LEAVES = "SELECT leaf FROM log_leaves WHERE leaf_index >= ? AND leaf_index < ? ORDER BY leaf_index"
_ROWS = "SELECT leaf_index, leaf, hashes FROM log_leaves WHERE leaf_index >= ? AND leaf_index < ? ORDER BY leaf_index"


@dataclass(frozen=True)
class StoredRecord:
    """A record beside its leaf; `record` and `salt` are None once erased."""

    index: int
    record: bytes | None = field(repr=False)
    salt: bytes | None = field(repr=False)


class SqlLogStorage:
    """Implements `broker.translog.storage.LogStorage` on one connection.

    With `lock` the head's row is locked until the transaction ends, where the database knows row locks. `beside` are
    the records and salts that `grow` lays beside its leaves, one for each or none."""

    def __init__(
        self, connection: Connection, lock: bool = False, beside: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        self._connection = connection
        self._lock = lock and connection.dialect.name != "sqlite"
        self._beside = beside

    def head(self) -> Head:
        """See `LogStorage.head`."""
        query = f"{_HEAD} FOR UPDATE" if self._lock else _HEAD
        row = _run(self._connection, query).fetchone()
        if row is None and self._lock:
            # There is no row to lock before the first entry.
            locks.lock(self._connection, "first entry")
            row = _run(self._connection, query).fetchone()
        return EMPTY_HEAD if row is None else Head(*row)

    def grow(self, old: Head, new: Head, rows: Sequence[LogRow]) -> None:
        """See `LogStorage.grow`. Raises Conflict, and the caller rolls back, if a row is stored already."""
        if old == EMPTY_HEAD:
            _run(self._connection, _FIRST_HEAD, (EMPTY_ROOT,))
        moved = (new.size, new.root, old.size, old.root, old.size)
        records = [(row.leaf_index, *each) for row, each in zip(rows, self._beside, strict=False)]
        try:
            if self._connection.dialect.name == "sqlite":
                _check_moved(_run(self._connection, _MOVE_HEAD, moved).rowcount)
                self._add(_ADD_LEAF, rows)
                self._add(_ADD_RECORD, records)
            else:
                values = (*moved, *map(list, (*_columns(rows), *_columns(records))))
                _check_moved(len(_run(self._connection, _GROW, values).fetchall()))
        except (sqlite3.IntegrityError, psycopg.IntegrityError) as error:
            raise Conflict("What the log holds is stored once and never changed.") from error

    def _add(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        driver: Any = self._connection.connection.driver_connection
        driver.executemany(statement, rows)

    def leaves(self, start: int, end: int) -> Iterable[bytes]:
        """See `LogStorage.leaves`."""
        return [leaf for (leaf,) in _run(self._connection, _LEAVES, (start, end)).fetchall()]

    def rows(self, start: int, end: int) -> Iterable[LogRow]:
        """See `LogStorage.rows`."""
        return [LogRow(*row) for row in _run(self._connection, _ROWS, (start, end)).fetchall()]

    def hashes_at(self, indexes: Sequence[int]) -> Mapping[int, bytes]:
        """See `LogStorage.hashes_at`."""
        found: dict[int, bytes] = {}
        for at in range(0, len(indexes), _LEAVES_PER_QUERY):
            part = indexes[at : at + _LEAVES_PER_QUERY]
            found.update(_run(self._connection, _hashes_query(len(part)), part).fetchall())
        return found


def _run(connection: Connection, statement: str, values: Sequence[object] = ()) -> Any:
    """The driver's cursor after a statement, whose places for values are written as SQLite's."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return driver.execute(statement, values)
    return driver.execute(_for_postgresql(statement), values, prepare=statement in _KEPT or None, binary=True)


@cache
def _for_postgresql(statement: str) -> str:
    return statement.replace("?", "%b")


def _columns(rows: Sequence[tuple[object, object, object]]) -> tuple[Sequence[object], ...]:
    return tuple(zip(*rows, strict=True)) if rows else ((), (), ())


def _check_moved(rows: int) -> None:
    if rows != 1:
        raise Conflict("The log grew meanwhile, or its leaves are not those of its head: repeat the step.")


@cache
def _hashes_query(leaves: int) -> str:
    wanted = ", ".join("?" * leaves)
    return f"SELECT leaf_index, hashes FROM log_leaves WHERE leaf_index IN ({wanted})"  # noqa: S608 - places for values


def of_kind(connection: Connection, kind: str) -> tuple[int, ...]:
    """Indices of the leaves of a kind, in order; every leaf is looked at, so it is for starts alone."""
    # A leaf is canonical JSON, and a kind is a word of it between quotes, so nothing else in it can look like that.
    position = func.instr if connection.dialect.name == "sqlite" else _position
    wanted = position(log_leaves.c.leaf, f'"kind":"{kind}"'.encode()) > 0
    return tuple(
        connection.execute(
            select(log_leaves.c.leaf_index).where(wanted).order_by(log_leaves.c.leaf_index)
        ).scalars()
    )


def _position(column: ColumnElement[bytes], part: bytes) -> ColumnElement[int]:
    return func.position(literal(part).op("IN")(column))


def read_records(connection: Connection, start: int, end: int) -> tuple[StoredRecord, ...]:
    """Records `start` up to, not including, `end`, in order; fewer if fewer are stored."""
    query = (
        select(log_records)
        .where(log_records.c.leaf_index >= start, log_records.c.leaf_index < end)
        .order_by(log_records.c.leaf_index)
    )
    return tuple(StoredRecord(row.leaf_index, row.record, row.salt) for row in connection.execute(query))


def erase_record(connection: Connection, index: int) -> None:
    """Set a record and its salt to NULL, and in PostgreSQL write the table anew without their bytes.

    SQLite overwrites them (`secure_delete`); empty its write-ahead log after."""
    connection.execute(
        update(log_records).where(log_records.c.leaf_index == index).values(record=None, salt=None)
    )
    if connection.dialect.name == "postgresql":
        partitions.write_anew(connection, "log_records")
