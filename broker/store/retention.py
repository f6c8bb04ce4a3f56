"""Queries about what has had its time: deposits and series past their retention, matched tokens, calls.

Rule: the selection reads and deletes nothing; what it names is looked at again in the transaction that deletes it.
Whether a time is over, the caller says with `now`.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, select, update

from broker.store import calls, counted_sets
from broker.store.deposits import LIVE_STATES, StoredDeposit
from broker.store.requests import FAILED, RELEASED, RELEASING
from broker.store.series import SERVING_STATES, StoredSeries
from broker.store.tables import (
    deposits,
    idempotency_keys,
    matches,
    nonces,
    permits,
    release_asks,
    released_records,
    requests,
    series,
)


@dataclass(frozen=True)
class Forgotten:
    """How many rows went: matched tokens, sketches of counted sets, and what is kept of calls."""

    matches: int
    counted_sets: int
    calls: int


def expired_deposits(connection: Connection, now: int) -> tuple[tuple[StoredDeposit, int], ...]:
    """Deposits whose records are still here though the retention of their series is over at `now`, with that time;
    in order of their declaration."""
    query = (
        select(deposits, series.c.retain_until)
        .join(series, series.c.series_id == deposits.c.series_id)
        .where(series.c.retain_until <= now, deposits.c.state.in_(LIVE_STATES))
        .order_by(deposits.c.deposit_number)
    )
    names = [column.name for column in deposits.columns]
    return tuple(
        (StoredDeposit(**{name: row._mapping[name] for name in names}), row.retain_until)
        for row in connection.execute(query)
    )


def expired_series(connection: Connection, now: int) -> tuple[StoredSeries, ...]:
    """Series whose retention is over at `now`, that nobody withdrew, and that have no record left; by series_id."""
    left = exists().where(deposits.c.series_id == series.c.series_id, deposits.c.state.in_(LIVE_STATES))
    query = (
        select(series)
        .where(series.c.retain_until <= now, series.c.state.in_(SERVING_STATES), ~left)
        .order_by(series.c.series_id)
    )
    return tuple(StoredSeries(**row._mapping) for row in connection.execute(query))


def forget(connection: Connection, now: int, matches_until: int) -> Forgotten:
    """Delete nonces, idempotency keys and counted sets that are over at `now`, and what matched, was released or was
    asked for under permits that ended at or before `matches_until`, but for a release that a crash interrupted and
    still goes on."""
    ended = (
        select(permits.c.permit_id)
        .join(requests, requests.c.request_id == permits.c.request_id)
        .where(permits.c.expires_at <= matches_until, requests.c.state != RELEASING)
    )
    gone = connection.execute(delete(matches).where(matches.c.permit_id.in_(ended))).rowcount
    connection.execute(delete(released_records).where(released_records.c.permit_id.in_(ended)))
    # A contributor may still be waited for after its permit's end.
    answered = ended.where(requests.c.state.in_((RELEASED, FAILED)))
    connection.execute(update(release_asks).where(release_asks.c.permit_id.in_(answered)).values(tokens=b""))
    over = sum(calls.forget(connection, table, now) for table in (nonces, idempotency_keys))
    return Forgotten(gone, counted_sets.forget(connection, now), over)
