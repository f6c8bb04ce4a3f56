"""Queries on the restores an operator accepted: from when on this holder knows again which permits it used."""

from sqlalchemy import Connection, delete, func, insert, select

from clients.keyholder.store.tables import prekeys, restores


def latest(connection: Connection) -> int | None:
    """When the latest restore was accepted, in Unix seconds; None if none ever was."""
    found: int | None = connection.execute(select(func.max(restores.c.accepted_at))).scalar_one()
    return found


def add(connection: Connection, log_index: int, document: str, accepted_at: int) -> None:
    """Keep a signed statement, and drop the one-time keys: some of the old copy's were used and destroyed since."""
    connection.execute(
        insert(restores).values(log_index=log_index, document=document, accepted_at=accepted_at)
    )
    connection.execute(delete(prekeys))
