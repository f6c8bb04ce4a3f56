"""Queries about key series: manifests, acceptances, states, and what serves a request.

Rule: a series that is withdrawn or past its retention serves nothing. It decides nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from broker.store import locks
from broker.store.tables import acceptances, deposits, destruction_receipts, first_commitments, series

SERVING_STATES = ("open", "closed")


@dataclass(frozen=True)
class StoredSeries:
    """One series. `manifest`, `closing` and `withdrawal` are signed documents; verify them when read."""

    series_id: bytes
    space_id: bytes
    contributor: str
    identifier_type: str
    manifest: str
    key_digest: bytes
    state: str
    retain_until: int
    opened_at: int
    opened_index: int
    closing: str | None = None
    withdrawal: str | None = None
    withdrawn_index: int | None = None
    destroyed_index: int | None = None
    expired_index: int | None = None


@dataclass(frozen=True)
class ServingDeposit:
    """A deposit that requests may be matched against."""

    deposit_number: int
    deposit_id: bytes
    records: int


@dataclass(frozen=True)
class ServingSeries:
    """A series with at least one serving deposit, and the holders' acceptances (documents, by holder)."""

    series: StoredSeries
    acceptances: tuple[str, ...]
    deposits: tuple[ServingDeposit, ...]


def find(connection: Connection, series_id: bytes) -> StoredSeries | None:
    """One series, if it is known; locked until the end of a write."""
    query = locks.to_change(connection, select(series).where(series.c.series_id == series_id))
    row = connection.execute(query).one_or_none()
    return None if row is None else StoredSeries(**row._mapping)


def serving_series(
    connection: Connection, space_id: bytes, identifier_types: Sequence[str], now: int
) -> tuple[ServingSeries, ...]:
    """All series of a space and these types that serve now, in order of series_id: state open or closed, retention
    not over, at least one serving deposit (each in order of deposit_id)."""
    query = (
        select(series, deposits.c.deposit_number, deposits.c.deposit_id, deposits.c.records_stored)
        .join(deposits, deposits.c.series_id == series.c.series_id)
        .where(
            series.c.space_id == space_id,
            series.c.identifier_type.in_(identifier_types),
            series.c.state.in_(SERVING_STATES),
            series.c.retain_until > now,
            deposits.c.state == "serving",
        )
        .order_by(series.c.series_id, deposits.c.deposit_id)
    )
    found: dict[bytes, StoredSeries] = {}
    serving: dict[bytes, list[ServingDeposit]] = {}
    columns = [column.name for column in series.columns]
    for row in connection.execute(query):
        if row.series_id not in found:
            found[row.series_id] = StoredSeries(**{name: row._mapping[name] for name in columns})
        deposit = ServingDeposit(row.deposit_number, row.deposit_id, row.records_stored)
        serving.setdefault(row.series_id, []).append(deposit)
    accepted = acceptances_of(connection, list(found))
    return tuple(
        ServingSeries(each, accepted.get(series_id, ()), tuple(serving[series_id]))
        for series_id, each in found.items()
    )


def acceptances_of(connection: Connection, series_ids: Sequence[bytes]) -> dict[bytes, tuple[str, ...]]:
    """The acceptance documents of each series, in order of holder_id."""
    found: dict[bytes, list[str]] = {}
    for at in range(0, len(series_ids), 500):
        query = (
            select(acceptances.c.series_id, acceptances.c.document)
            .where(acceptances.c.series_id.in_(series_ids[at : at + 500]))
            .order_by(acceptances.c.series_id, acceptances.c.holder_id)
        )
        for row in connection.execute(query):
            found.setdefault(row.series_id, []).append(row.document)
    return {series_id: tuple(documents) for series_id, documents in found.items()}


def commitment_owner(connection: Connection, commitment: bytes) -> bytes | None:
    """The series that first used a commitment as C_0, if any."""
    query = select(first_commitments.c.series_id).where(first_commitments.c.commitment == commitment)
    return connection.execute(query).scalar_one_or_none()


def add(
    connection: Connection,
    stored: StoredSeries,
    accepted: Sequence[tuple[str, str]],
    commitments: Sequence[bytes],
) -> None:
    """Keep a new series with its acceptances, (holder_id, document) each, and the C_0 of its keys."""
    connection.execute(insert(series).values(**vars(stored)))
    connection.execute(
        insert(acceptances),
        [
            {"series_id": stored.series_id, "holder_id": holder_id, "document": document}
            for holder_id, document in accepted
        ],
    )
    connection.execute(
        insert(first_commitments),
        [{"commitment": each, "series_id": stored.series_id} for each in commitments],
    )


def close(connection: Connection, series_id: bytes, closing: str) -> None:
    """Mark a series as closed: no new deposit, still serving."""
    connection.execute(
        update(series).where(series.c.series_id == series_id).values(state="closed", closing=closing)
    )


def withdraw(connection: Connection, series_id: bytes, withdrawal: str, log_index: int) -> None:
    """Mark a series as withdrawn; its deposits are `broker.store.deposits.erase_series`'s."""
    connection.execute(
        update(series)
        .where(series.c.series_id == series_id)
        .values(state="withdrawn", withdrawal=withdrawal, withdrawn_index=log_index)
    )


def destroyed(connection: Connection, series_id: bytes, log_index: int) -> None:
    """Mark a series as destroyed: enough holders erased their shares."""
    connection.execute(
        update(series)
        .where(series.c.series_id == series_id)
        .values(state="destroyed", destroyed_index=log_index)
    )


def expire(connection: Connection, series_id: bytes) -> bool:
    """Mark a series as expired, its retention being over. False when it was withdrawn or expired before."""
    moved = connection.execute(
        update(series)
        .where(series.c.series_id == series_id, series.c.state.in_(SERVING_STATES))
        .values(state="expired")
    )
    return moved.rowcount == 1


def note_expiry(connection: Connection, series_id: bytes, log_index: int) -> None:
    """Keep where the end of a series' retention is logged."""
    connection.execute(update(series).where(series.c.series_id == series_id).values(expired_index=log_index))


def destruction_receipts_of(connection: Connection, series_id: bytes) -> dict[str, str]:
    """The receipts in so far, document by holder_id."""
    query = select(destruction_receipts).where(destruction_receipts.c.series_id == series_id)
    return {row.holder_id: row.document for row in connection.execute(query)}


def add_destruction_receipt(connection: Connection, series_id: bytes, holder_id: str, document: str) -> None:
    """Keep a holder's word that it erased its shares."""
    connection.execute(
        insert(destruction_receipts).values(series_id=series_id, holder_id=holder_id, document=document)
    )
