"""Queries about notices of what was taken back: what was sent, what was shown, what was acknowledged.

Rule: a notice is kept in the transaction that takes the records back. Whom they were disclosed to, `broker.store.told`
says. It verifies nothing.
"""

from collections.abc import Generator
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from broker.store import locks
from broker.store.tables import retraction_notices


@dataclass(frozen=True)
class StoredNotice:
    """One notice and what became of it."""

    notice_id: bytes
    requester: str
    document: str
    due_at: int
    noticed_index: int
    shown_index: int | None = None
    acknowledgement: str | None = None
    acknowledged_index: int | None = None
    contest_digest: bytes | None = None


def add(connection: Connection, stored: StoredNotice) -> None:
    """Keep a notice."""
    connection.execute(insert(retraction_notices).values(**vars(stored)))


def find(connection: Connection, notice_id: bytes) -> StoredNotice | None:
    """One notice, locked until the end of a write."""
    query = select(retraction_notices).where(retraction_notices.c.notice_id == notice_id)
    row = connection.execute(locks.to_change(connection, query)).one_or_none()
    return None if row is None else StoredNotice(**row._mapping)


def of_contest(connection: Connection, withdrawal_digest: bytes) -> tuple[str, ...]:
    """The notices that told of a contest, in the order they were made."""
    query = (
        select(retraction_notices.c.document)
        .where(retraction_notices.c.contest_digest == withdrawal_digest)
        .order_by(retraction_notices.c.noticed_index)
    )
    return tuple(connection.execute(query).scalars())


def noticed_since(connection: Connection, requester: str, log_index: int) -> Generator[str, None, None]:
    """The notices to a requester that were logged after an entry, acknowledged or not, a hundred at a time."""
    query = select(retraction_notices.c.document).where(
        retraction_notices.c.requester == requester, retraction_notices.c.noticed_index > log_index
    )
    # Closed also where the caller stops half-way.
    with connection.execute(query.execution_options(yield_per=100)) as rows:
        yield from rows.scalars()


def unacknowledged(connection: Connection, requester: str, limit: int) -> tuple[StoredNotice, ...]:
    """A requester's notices that are not acknowledged, the oldest first."""
    query = (
        select(retraction_notices)
        .where(
            retraction_notices.c.requester == requester,
            retraction_notices.c.acknowledged_index.is_(None),
        )
        .order_by(retraction_notices.c.noticed_index)
        .limit(limit)
    )
    return tuple(StoredNotice(**row._mapping) for row in connection.execute(query))


def note_shown(connection: Connection, notice_id: bytes, log_index: int) -> None:
    """Keep where it is logged that the requester was shown it first."""
    connection.execute(
        update(retraction_notices)
        .where(retraction_notices.c.notice_id == notice_id)
        .values(shown_index=log_index)
    )


def acknowledge(connection: Connection, notice_id: bytes, document: str, log_index: int) -> None:
    """Keep what the requester signed."""
    connection.execute(
        update(retraction_notices)
        .where(retraction_notices.c.notice_id == notice_id)
        .values(acknowledgement=document, acknowledged_index=log_index)
    )
