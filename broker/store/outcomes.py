"""Queries about requesters' reports, and about whose matches they tell of.

Rule: a report is kept as it was signed, which holds no token. It verifies nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from broker.store.matches import held
from broker.store.tables import deposits, matches, outcome_reports

_TOKENS_PER_QUERY = 500


@dataclass(frozen=True)
class StoredReport:
    """A signed report, and where it is logged."""

    document: str
    log_index: int


def find(connection: Connection, request_id: bytes, number: int) -> StoredReport | None:
    """One report on a request, if it came."""
    query = select(outcome_reports.c.document, outcome_reports.c.log_index).where(
        outcome_reports.c.request_id == request_id, outcome_reports.c.number == number
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else StoredReport(row.document, row.log_index)


def last_number(connection: Connection, request_id: bytes) -> int:
    """The number of the newest report on a request, 0 before the first."""
    query = select(func.max(outcome_reports.c.number)).where(outcome_reports.c.request_id == request_id)
    return connection.execute(query).scalar_one() or 0


def add(connection: Connection, request_id: bytes, number: int, stored: StoredReport) -> None:
    """Keep a report."""
    connection.execute(
        insert(outcome_reports).values(
            request_id=request_id, number=number, document=stored.document, log_index=stored.log_index
        )
    )


def series_of(connection: Connection, deposit_ids: Iterable[bytes]) -> dict[bytes, tuple[int, bytes]]:
    """Number and series_id of each deposit that is known, by deposit_id."""
    named, found = sorted(set(deposit_ids)), dict[bytes, tuple[int, bytes]]()
    for at in range(0, len(named), _TOKENS_PER_QUERY):
        query = select(deposits.c.deposit_id, deposits.c.deposit_number, deposits.c.series_id).where(
            deposits.c.deposit_id.in_(named[at : at + _TOKENS_PER_QUERY])
        )
        found |= {row.deposit_id: (row.deposit_number, row.series_id) for row in connection.execute(query)}
    return found


def deposits_of_matches(
    connection: Connection, permit_id: bytes, tokens: Sequence[bytes]
) -> dict[bytes, int]:
    """The deposit_number that each of these tokens matched in under a permit, for those matches still kept."""
    found: dict[bytes, int] = {}
    for at in range(0, len(tokens), _TOKENS_PER_QUERY):
        query = select(matches.c.token, matches.c.deposit_number).where(
            matches.c.permit_id == permit_id, matches.c.token.in_(tokens[at : at + _TOKENS_PER_QUERY])
        )
        found |= {bytes(row.token): row.deposit_number for row in connection.execute(query)}
    return found


def still_held(connection: Connection, deposit_number: int, tokens: Sequence[bytes]) -> frozenset[bytes]:
    """Those of these tokens that the deposit holds records of."""
    found = held(connection, {deposit_number: sorted(tokens)})
    return frozenset(match.token for match in found)
