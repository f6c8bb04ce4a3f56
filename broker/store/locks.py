"""Who waits for whom where several brokers share one PostgreSQL.

Rule: a step that reads, decides and then writes locks what it read, so that of two brokers the second waits and then
sees what the first left. A step locks in this order, so that no two wait for each other: enrolments or a requester's
ledger, series, deposit, permit, activations, and last the log's head, which orders all that is recorded. SQLite needs
none of it: its one process lets writers in one after the other. It changes no row.
"""

import hashlib
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, text

SelectT = TypeVar("SelectT", bound=Select[Any])
READING = "narrowgate_read"
"""The execution option by which a connection says that it only reads."""


def lock(connection: Connection, subject: str, *names: bytes) -> None:
    """Let no other transaction take the lock of this name until this one ends; `subject` tells its uses apart."""
    if connection.dialect.name != "sqlite":
        number = _number(subject, names)
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def share(connection: Connection, subject: str, *names: bytes) -> None:
    """Let no other transaction `lock` this name until this one ends; others may share it."""
    if connection.dialect.name != "sqlite":
        number = _number(subject, names)
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:number)"), {"number": number})


def to_change(connection: Connection, query: SelectT) -> SelectT:
    """The query, locking its rows against change and against `to_keep` if this is a write.

    Rows may still be referred to by others meanwhile."""
    reading = connection.get_execution_options().get(READING)
    return query if reading else query.with_for_update(key_share=True)


def to_keep(connection: Connection, query: SelectT, table: Any) -> SelectT:
    """The query, keeping the rows of `table` as they are until this transaction ends, if it is a write."""
    reading = connection.get_execution_options().get(READING)
    return query if reading else query.with_for_update(read=True, of=table)


def _number(subject: str, names: tuple[bytes, ...]) -> int:
    digest = hashlib.sha256(b"narrowgate/v1/" + subject.encode() + b"\x00" + b"\x00".join(names)).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
