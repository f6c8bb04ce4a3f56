"""Queries about contributors that are asked before their own records are released, and what they said.

Rule: an ask and an answer are each written in the transaction that logs them. It verifies no document and knows no
time limit but the one in the row.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select, update

from broker.store.tables import deposits, permits, release_asks, requests


@dataclass(frozen=True)
class StoredAsk:
    """One deposit whose records a permit asks for; `tokens` are theirs, 16 bytes each, increasing."""

    permit_id: bytes
    deposit_number: int
    series_id: bytes
    contributor: str
    tokens: bytes = field(repr=False)
    asked_at: int
    until_at: int
    answer: str | None = None
    answered_index: int | None = None


@dataclass(frozen=True)
class AskedOf:
    """An ask with the deposit and the request it is about."""

    ask: StoredAsk
    deposit_id: bytes
    request_id: bytes


def add(connection: Connection, asks: Iterable[StoredAsk]) -> None:
    """Keep new asks."""
    rows = [vars(ask) for ask in asks]
    if rows:
        connection.execute(insert(release_asks), rows)


def of_permit(connection: Connection, permit_id: bytes) -> tuple[StoredAsk, ...]:
    """The asks under one permit, by deposit."""
    query = select(release_asks).where(release_asks.c.permit_id == permit_id)
    rows = connection.execute(query.order_by(release_asks.c.deposit_number))
    return tuple(StoredAsk(**row._mapping) for row in rows)


def of_contributor(connection: Connection, contributor: str, limit: int) -> tuple[AskedOf, ...]:
    """The asks to one contributor: the unanswered first, then the newest; at most `limit`."""
    names = [column.name for column in release_asks.columns]
    query = (
        select(release_asks, deposits.c.deposit_id, permits.c.request_id)
        .join(deposits, deposits.c.deposit_number == release_asks.c.deposit_number)
        .join(permits, permits.c.permit_id == release_asks.c.permit_id)
        .join(requests, requests.c.request_id == permits.c.request_id)
        .where(release_asks.c.contributor == contributor)
        .order_by(release_asks.c.answered_index.is_not(None), release_asks.c.asked_at.desc())
        .limit(limit)
    )
    return tuple(
        AskedOf(StoredAsk(**{name: row._mapping[name] for name in names}), row.deposit_id, row.request_id)
        for row in connection.execute(query)
    )


def answer(connection: Connection, permit_id: bytes, series_id: bytes, document: str, log_index: int) -> int:
    """Keep a contributor's answer for one series, once. Returns how many asks it answers."""
    return connection.execute(
        update(release_asks)
        .where(
            release_asks.c.permit_id == permit_id,
            release_asks.c.series_id == series_id,
            release_asks.c.answer.is_(None),
        )
        .values(answer=document, answered_index=log_index)
    ).rowcount
