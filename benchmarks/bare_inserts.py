"""Rows written by the driver itself, with no hash computed: what the log's writer is compared with.

Three shapes, each in tables without anything else: one row of 230 bytes; the rows that the log writes (each leaf with
the hashes beside it, and the head); and those that the first prototype wrote (a row for each leaf and each node, behind
a head that PostgreSQL locks), whose figures the project set out to reach.
"""

import itertools
import secrets
import sqlite3
from collections.abc import Sequence
from typing import Any

import psycopg

from broker.protocol import merkle

ROW_BYTES = 230
Rows = Sequence[Sequence[Any]]


class Bare:
    """Tables of the driver's own, beside the log's database."""

    def __init__(self, url: str) -> None:
        self._is_sqlite = url.startswith("sqlite")
        self._driver: Any
        if self._is_sqlite:
            self._driver = sqlite3.connect(f"{url.removeprefix('sqlite:///')}.bare", isolation_level=None)
            for pragma in ("journal_mode=WAL", "synchronous=FULL"):
                self._driver.execute(f"PRAGMA {pragma}")
        else:
            self._driver = psycopg.connect(url.replace("+psycopg", ""))
        content, number = ("BLOB", "INTEGER") if self._is_sqlite else ("BYTEA", "BIGINT")
        for table in (
            f"bare (number {number} PRIMARY KEY, content {content})",
            f"bare_leaves (number {number} PRIMARY KEY, content {content}, hashes {content})",
            f"first_leaves (number {number} PRIMARY KEY, content {content})",
            f"first_nodes (level SMALLINT, number BIGINT, content {content}, PRIMARY KEY (level, number))"
            + (" WITHOUT ROWID" if self._is_sqlite else ""),
            f"bare_head (size BIGINT, root {content})",
        ):
            self._driver.execute(f"CREATE TABLE {table}")
        self._driver.execute("INSERT INTO bare_head VALUES (0, NULL)")
        self._driver.commit()
        self._numbers, self._sizes = itertools.count(), {"bare_leaves": 0, "first_leaves": 0}

    def insert(self, rows: int) -> None:
        """Rows of 230 bytes."""
        values = [(next(self._numbers), secrets.token_bytes(ROW_BYTES)) for _ in range(rows)]
        self._begin()
        self._add("bare", "int8[], bytea[]", values)
        self._driver.commit()

    def insert_the_same_rows(self, rows: int) -> None:
        """What the log writes for so many leaves."""
        values = [
            (place, secrets.token_bytes(ROW_BYTES), secrets.token_bytes(merkle.HASH_BYTES * len(levels)))
            for place, levels in self._places("bare_leaves", rows)
        ]
        self._begin()
        self._move_head(values[-1][0] + 1)
        self._add("bare_leaves", "int8[], bytea[], bytea[]", values)
        self._driver.commit()

    def insert_as_first_written(self, rows: int) -> None:
        """What the first prototype wrote for so many leaves."""
        places = self._places("first_leaves", rows)
        leaves = [(place, secrets.token_bytes(ROW_BYTES)) for place, _ in places]
        nodes = [
            (level, place >> level, secrets.token_bytes(merkle.HASH_BYTES))
            for place, levels in places
            for level in levels
        ]
        self._begin()
        lock = "" if self._is_sqlite else " FOR UPDATE"
        self._driver.execute(f"SELECT size, root FROM bare_head{lock}").fetchone()
        self._move_head(leaves[-1][0] + 1)
        self._add("first_leaves", "int8[], bytea[]", leaves)
        self._add("first_nodes", "int2[], int8[], bytea[]", nodes)
        self._driver.commit()

    def close(self) -> None:
        """Give the tables up."""
        self._driver.close()

    def _places(self, table: str, rows: int) -> Sequence[tuple[int, range]]:
        """The next places in a table of leaves, each with the levels of the subtrees that end there."""
        first = self._sizes[table]
        self._sizes[table] += rows
        return [
            (place, range((place + 1 & -(place + 1)).bit_length())) for place in range(first, first + rows)
        ]

    def _begin(self) -> None:
        if self._is_sqlite:
            self._driver.execute("BEGIN IMMEDIATE")

    def _move_head(self, size: int) -> None:
        place = "?" if self._is_sqlite else "%b"
        root = secrets.token_bytes(merkle.HASH_BYTES)
        self._driver.execute(f"UPDATE bare_head SET size = {place}, root = {place}", (size, root))

    def _add(self, table: str, types: str, rows: Rows) -> None:
        if self._is_sqlite:
            places = ", ".join("?" * len(rows[0]))
            self._driver.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
        else:
            columns = ", ".join(f"%b::{each}" for each in types.split(", "))
            values = [list(column) for column in zip(*rows, strict=True)]
            self._driver.execute(f"INSERT INTO {table} SELECT * FROM unnest({columns})", values)
