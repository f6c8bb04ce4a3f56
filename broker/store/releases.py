"""Queries about contributors that are asked before their own records are released, and what they said.

Rule: an ask and an answer are each written in the transaction that logs them. It verifies no document and knows no
time limit but the one in the row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from broker.store.tables import deposits, release_asks, released_records


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
class StoredRelease:
    """One record that was released; `body` is it as it goes over the wire, still sealed."""

    deposit_number: int
    token: bytes = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class AskedOf:
    """An ask with the deposit it is about."""

    ask: StoredAsk
    deposit_id: bytes


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
        select(release_asks, deposits.c.deposit_id)
        .join(deposits, deposits.c.deposit_number == release_asks.c.deposit_number)
        .where(release_asks.c.contributor == contributor)
        .order_by(release_asks.c.answered_index.is_not(None), release_asks.c.asked_at.desc())
        .limit(limit)
    )
    return tuple(
        AskedOf(StoredAsk(**{name: row._mapping[name] for name in names}), row.deposit_id)
        for row in connection.execute(query)
    )


def keep_records(connection: Connection, permit_id: bytes, released: Sequence[StoredRelease]) -> None:
    """Keep what was released under a permit, in the order of its answer."""
    rows = [
        {"permit_id": permit_id, "position": position, **vars(each)} for position, each in enumerate(released)
    ]
    if rows:
        connection.execute(insert(released_records), rows)


def records_of(connection: Connection, permit_id: bytes) -> tuple[bytes, ...]:
    """The records released under a permit as they go over the wire, in order; fewer once some were taken back."""
    query = select(released_records.c.body).where(released_records.c.permit_id == permit_id)
    return tuple(connection.execute(query.order_by(released_records.c.position)).scalars())


def forget_deposit(connection: Connection, deposit_number: int) -> None:
    """Delete what was released of a deposit, and which of its tokens were asked for."""
    connection.execute(delete(released_records).where(released_records.c.deposit_number == deposit_number))
    connection.execute(
        update(release_asks).where(release_asks.c.deposit_number == deposit_number).values(tokens=b"")
    )


def forget_records(connection: Connection, deposit_number: int, tokens: Sequence[bytes]) -> None:
    """Delete what was released of these records; at most 500 tokens."""
    connection.execute(
        delete(released_records).where(
            released_records.c.deposit_number == deposit_number, released_records.c.token.in_(tokens)
        )
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
