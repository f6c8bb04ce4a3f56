"""Queries about what contributors are told: rows of a month that goes on, and what was published of those before.

Rule: rows are taken out in the transaction that publishes what is made of them, so that no month is published twice.
It counts nothing: see `broker.statistics`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, union

from broker.store.series import StoredSeries
from broker.store.tables import askings, outcomes, series, statistics

_SERIES_PER_QUERY = 500


@dataclass(frozen=True)
class Asking:
    """One series of one request that was decided. `rules` are names with a space between."""

    month: str
    series_id: bytes
    requester: str
    verdict: str
    tier: str
    rules: str
    instrument: str | None
    purpose: str | None
    offence: str | None


@dataclass(frozen=True)
class Told:
    """What was last reported in a month of one request's matches with one series: kinds, a space between."""

    month: str
    series_id: bytes
    requester: str
    told: str


@dataclass(frozen=True)
class Taken:
    """All rows of one month."""

    askings: tuple[Asking, ...] = field(repr=False)
    outcomes: tuple[Told, ...] = field(repr=False)


def add_askings(connection: Connection, asked: Iterable[Asking]) -> None:
    """Note that series were asked."""
    values = [vars(each) for each in asked]
    if values:
        connection.execute(insert(askings), values)


def tell(
    connection: Connection,
    request_id: bytes,
    requester: str,
    month: str,
    kinds: Mapping[bytes, Iterable[str]],
) -> None:
    """Keep what was reported of a request's matches with each series, in place of what was before in this month."""
    connection.execute(delete(outcomes).where(outcomes.c.request_id == request_id, outcomes.c.month == month))
    values = [
        {
            "request_id": request_id,
            "series_id": series_id,
            "month": month,
            "requester": requester,
            "told": " ".join(sorted(told)),
        }
        for series_id, told in sorted(kinds.items())
    ]
    if values:
        connection.execute(insert(outcomes), values)


def months_with_rows(connection: Connection) -> tuple[str, ...]:
    """The months that are not published, in order."""
    query = union(select(askings.c.month), select(outcomes.c.month))
    return tuple(sorted(connection.execute(query).scalars()))


def take(connection: Connection, month: str) -> Taken:
    """Delete the rows of a month and return them: whoever comes second finds none."""
    names = [column for column in askings.columns if column.name != "entry"]
    asked = connection.execute(delete(askings).where(askings.c.month == month).returning(*names)).all()
    names = [column for column in outcomes.columns if column.name != "request_id"]
    told = connection.execute(delete(outcomes).where(outcomes.c.month == month).returning(*names)).all()
    return Taken(tuple(Asking(**row._mapping) for row in asked), tuple(Told(**row._mapping) for row in told))


def publish(connection: Connection, series_id: bytes, month: str, published: str) -> None:
    """Keep what may be told of a series' month; what was published of it before stays as it is."""
    known = select(statistics.c.month).where(statistics.c.series_id == series_id, statistics.c.month == month)
    if connection.execute(known).one_or_none() is None:
        connection.execute(insert(statistics).values(series_id=series_id, month=month, published=published))


def published(connection: Connection, series_ids: Sequence[bytes]) -> dict[tuple[bytes, str], str]:
    """What was published of these series, by series and month."""
    found: dict[tuple[bytes, str], str] = {}
    for at in range(0, len(series_ids), _SERIES_PER_QUERY):
        query = select(statistics).where(statistics.c.series_id.in_(series_ids[at : at + _SERIES_PER_QUERY]))
        found |= {(row.series_id, row.month): row.published for row in connection.execute(query)}
    return found


def series_of(connection: Connection, contributor: str) -> tuple[StoredSeries, ...]:
    """All series of a contributor, in order of series_id."""
    query = select(series).where(series.c.contributor == contributor).order_by(series.c.series_id)
    return tuple(StoredSeries(**row._mapping) for row in connection.execute(query))


def forget(connection: Connection, before: str) -> None:
    """Delete what was published of months before this one."""
    connection.execute(delete(statistics).where(statistics.c.month < before))
