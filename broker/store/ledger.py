"""The ledger: what each requester of a space asked, found and spent.

One case's ladder is one ask (L10): a step that goes on from an earlier one is charged no identifiers and no hits.

Rule (POLICY 2, L10): a request's use is entered in the transaction that decides it, after the ledger was read in the
same one, so that two requests never share the last unit of a budget. It knows no limit: those are the gate's.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from broker.store import locks
from broker.store.tables import ledger

DAY_SECONDS = 86_400
SHORT_DAYS = 30
LONG_DAYS = 90


@dataclass(frozen=True)
class Usage:
    """What one requester used up to a moment, this request not included."""

    identifiers_30d: int
    epsilon_millis_30d: int
    identifiers_90d: int
    hits_90d: int


def lock(connection: Connection, space_id: bytes, requester: str) -> None:
    """Let no other transaction read or write this requester's ledger until this one ends."""
    locks.lock(connection, "ledger", space_id, requester.encode())


def usage(connection: Connection, space_id: bytes, requester: str, now: int) -> Usage:
    """The requester's use in the last 30 and 90 days before `now`."""

    def since(days: int) -> tuple[int, ...]:
        query = select(
            func.coalesce(func.sum(ledger.c.identifiers), 0),
            func.coalesce(func.sum(ledger.c.epsilon_millis), 0),
            func.coalesce(func.sum(ledger.c.hits), 0),
        ).where(
            ledger.c.space_id == space_id,
            ledger.c.requester == requester,
            ledger.c.charged_at > now - days * DAY_SECONDS,
        )
        return tuple(int(each) for each in connection.execute(query).one())

    identifiers, epsilon, _ = since(SHORT_DAYS)
    identifiers_long, _, hits = since(LONG_DAYS)
    return Usage(identifiers, epsilon, identifiers_long, hits)


def charge(
    connection: Connection,
    *,
    space_id: bytes,
    requester: str,
    request_id: bytes,
    earlier: bytes | None,
    identifiers: int,
    epsilon_millis: int,
    now: int,
) -> None:
    """Enter an admitted request: its identifiers, and the privacy loss reserved for its count.

    Args:
        earlier: the request it goes on from, if it does; both are of one ladder."""
    connection.execute(
        insert(ledger).values(
            space_id=space_id,
            requester=requester,
            request_id=request_id,
            ladder_id=None if earlier is None else ladder(connection, earlier),
            charged_at=now,
            identifiers=identifiers,
            hits=0,
            epsilon_millis=epsilon_millis,
        )
    )


def ladder(connection: Connection, request_id: bytes) -> bytes:
    """The first request of the ladder that a request is a step of: itself, if it goes on from none."""
    query = select(ledger.c.ladder_id).where(ledger.c.request_id == request_id)
    return connection.execute(query).scalar_one_or_none() or request_id


def settle(connection: Connection, request_id: bytes, hits: int, epsilon_millis: int) -> None:
    """Enter the result of a request: its matches, and the privacy loss of what is disclosed of them."""
    connection.execute(
        update(ledger)
        .where(ledger.c.request_id == request_id)
        .values(hits=hits, epsilon_millis=epsilon_millis)
    )


def owe_review(connection: Connection, request_id: bytes, due_at: int) -> None:
    """Enter that an emergency disclosure is to be reviewed by `due_at`."""
    connection.execute(update(ledger).where(ledger.c.request_id == request_id).values(review_due_at=due_at))


def reviewed(connection: Connection, request_id: bytes, reviewed_at: int) -> None:
    """Enter that an emergency disclosure was reviewed and found justified."""
    connection.execute(
        update(ledger).where(ledger.c.request_id == request_id).values(reviewed_at=reviewed_at)
    )


def review_due_at(connection: Connection, request_id: bytes) -> int | None:
    """By when a request is to be reviewed, None for one that owes no review."""
    query = select(ledger.c.review_due_at).where(ledger.c.request_id == request_id)
    return connection.execute(query).scalar_one_or_none()


def overdue_reviews(connection: Connection, space_id: bytes, requester: str, now: int) -> int:
    """How many of a requester's emergency disclosures should have been reviewed before `now`, and were not."""
    query = select(func.count()).where(
        ledger.c.space_id == space_id,
        ledger.c.requester == requester,
        ledger.c.review_due_at < now,
        ledger.c.reviewed_at.is_(None),
    )
    return int(connection.execute(query).scalar_one())
