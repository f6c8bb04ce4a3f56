"""Where tokens meet records: the one query that does, and what is kept of its result.

Rule (DESIGN 2.6): submitted tokens are parameters of a query and nothing else; only those that matched are written.
Chunks are small enough that no database spills them into a temporary file. It does not know whose tokens they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, insert, select, text

from broker.store.series import SERVING_STATES
from broker.store.tables import deposits, matches, records, series

TOKENS_PER_QUERY = 500
_DEPOSITS_PER_QUERY = 500

# A function of the token alone: the index is walked once, whatever the size of the deposit.
_CHUNK = select(records.c.token).where(
    records.c.deposit_number == bindparam("number"), records.c.token.in_(bindparam("tokens", expanding=True))
)
_UNNEST = text(
    "SELECT r.token FROM unnest(CAST(:tokens AS bytea[])) AS q(token)"
    " JOIN records r ON r.deposit_number = :number AND r.token = q.token"
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
    retention of their series."""
    found: list[OpenDeposit] = []
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
        )
        found += [OpenDeposit(**row._mapping) for row in connection.execute(query)]
    return tuple(sorted(found, key=lambda deposit: deposit.deposit_id))


def held_tokens(connection: Connection, deposit_number: int, tokens: Sequence[bytes]) -> tuple[bytes, ...]:
    """Those of the tokens that the deposit holds, sorted; a token may be held once only."""
    held: list[bytes] = []
    query = _CHUNK if connection.dialect.name == "sqlite" else _UNNEST
    for at in range(0, len(tokens), TOKENS_PER_QUERY):
        parameters = {"number": deposit_number, "tokens": list(tokens[at : at + TOKENS_PER_QUERY])}
        held += [bytes(token) for token in connection.execute(query, parameters).scalars()]
    return tuple(sorted(held))


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
