"""Where tokens meet records: the one query that does, and what is kept of its result.

Rule (DESIGN 2.6): submitted tokens are parameters of a query and nothing else; only those that matched are written.
No database spills them into a temporary file: SQLite gets them in small chunks, PostgreSQL as an array that is compared
in place, since a join could hash or sort them on the disk. It does not know whose tokens they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, case, distinct, func, insert, select

from broker.store import locks, partitions
from broker.store.series import SERVING_STATES
from broker.store.tables import deposits, ledger, matches, permits, records, series

TOKENS_PER_QUERY = 500
_DEPOSITS_PER_QUERY = 500

# A function of the token alone: the index is walked once, whatever the size of the deposit.
_CHUNK = select(records.c.token).where(
    records.c.deposit_number == bindparam("number"), records.c.token.in_(bindparam("tokens", expanding=True))
)


@dataclass(frozen=True)
class OpenDeposit:
    """A deposit that may be matched against now. `declaration` is its contributor's signed document."""

    deposit_number: int
    deposit_id: bytes
    series_id: bytes
    contributor: str
    declaration: str


@dataclass(frozen=True, order=True)
class Match:
    """One (deposit, token) pair that a deposit holds."""

    deposit_number: int
    token: bytes = field(repr=False)


def open_deposits(connection: Connection, deposit_ids: Sequence[bytes], now: int) -> tuple[OpenDeposit, ...]:
    """Those of the named deposits that still serve at `now`, in order of deposit_id: neither withdrawn nor past the
    retention of their series. In a write they stay so until its end: a withdrawal waits, and is logged after it."""
    found: list[OpenDeposit] = []
    deposit_ids = sorted(deposit_ids)
    for at in range(0, len(deposit_ids), _DEPOSITS_PER_QUERY):
        query = (
            select(
                deposits.c.deposit_number,
                deposits.c.deposit_id,
                deposits.c.series_id,
                deposits.c.contributor,
                deposits.c.declaration,
            )
            .join(series, series.c.series_id == deposits.c.series_id)
            .where(
                deposits.c.deposit_id.in_(deposit_ids[at : at + _DEPOSITS_PER_QUERY]),
                deposits.c.state == "serving",
                series.c.state.in_(SERVING_STATES),
                series.c.retain_until > now,
            )
            .order_by(deposits.c.deposit_id)
        )
        rows = connection.execute(locks.to_keep(connection, query, deposits))
        found += [OpenDeposit(**row._mapping) for row in rows]
    return tuple(found)


def held(connection: Connection, asked: Mapping[int, Sequence[bytes]]) -> tuple[Match, ...]:
    """Which of the tokens asked of each deposit, by its number, it holds; sorted. One round trip in PostgreSQL."""
    if partitions.in_use(connection):
        found = partitions.held(connection, asked)
    else:
        found = {number: _held_in_sqlite(connection, number, tokens) for number, tokens in asked.items()}
    return tuple(sorted(Match(number, token) for number, tokens in found.items() for token in tokens))


def _held_in_sqlite(connection: Connection, deposit_number: int, tokens: Sequence[bytes]) -> list[bytes]:
    found: list[bytes] = []
    for at in range(0, len(tokens), TOKENS_PER_QUERY):
        parameters = {"number": deposit_number, "tokens": list(tokens[at : at + TOKENS_PER_QUERY])}
        found += [bytes(token) for token in connection.execute(_CHUNK, parameters).scalars()]
    return found


def keep(connection: Connection, permit_id: bytes, found: Iterable[Match]) -> None:
    """Keep what matched: a later tier selects from these, and an interrupted release continues with them."""
    rows = [
        {"permit_id": permit_id, "deposit_number": match.deposit_number, "token": match.token}
        for match in found
    ]
    if rows:
        connection.execute(insert(matches), rows)


def kept(connection: Connection, permit_id: bytes) -> tuple[Match, ...]:
    """What was kept of a permit's matches, sorted."""
    query = select(matches.c.deposit_number, matches.c.token).where(matches.c.permit_id == permit_id)
    return tuple(sorted(Match(row.deposit_number, bytes(row.token)) for row in connection.execute(query)))


def kept_named(connection: Connection, permit_id: bytes) -> frozenset[tuple[bytes, bytes]]:
    """What was kept of a permit's matches, as (deposit_id, token) pairs."""
    query = (
        select(deposits.c.deposit_id, matches.c.token)
        .join(deposits, deposits.c.deposit_number == matches.c.deposit_number)
        .where(matches.c.permit_id == permit_id)
    )
    return frozenset((bytes(row.deposit_id), bytes(row.token)) for row in connection.execute(query))


@dataclass(frozen=True)
class Asks:
    """How often one target was found: the most of any that were looked at."""

    own: int = 0
    by_anyone: int = 0


def most_asks(
    connection: Connection,
    found: Iterable[Match],
    *,
    space_id: bytes,
    requester: str,
    ladder_id: bytes,
    since: int,
) -> Asks:
    """How many ladders but this one found the same target since then: the most of any, by the requester and by all.

    A target is a record of a deposit; one that is gone takes what matched it with it."""
    by_deposit: dict[int, list[bytes]] = {}
    for match in found:
        by_deposit.setdefault(match.deposit_number, []).append(match.token)
    first = func.coalesce(ledger.c.ladder_id, ledger.c.request_id)
    own = case((ledger.c.requester == requester, first))
    asks = Asks()
    for number, tokens in by_deposit.items():
        for at in range(0, len(tokens), TOKENS_PER_QUERY):
            query = (
                select(func.count(distinct(own)), func.count(distinct(first)))
                .select_from(matches)
                .join(permits, permits.c.permit_id == matches.c.permit_id)
                .join(ledger, ledger.c.request_id == permits.c.request_id)
                .where(
                    matches.c.deposit_number == number,
                    matches.c.token.in_(tokens[at : at + TOKENS_PER_QUERY]),
                    ledger.c.space_id == space_id,
                    ledger.c.charged_at > since,
                    first != ladder_id,
                )
                .group_by(matches.c.token)
            )
            for mine, all_of_them in connection.execute(query):
                asks = Asks(max(asks.own, mine), max(asks.by_anyone, all_of_them))
    return asks
