"""What is kept of the lists that counts were told of, for as long as a count weighs on the budget.

Rule (DESIGN 2.6): no token is here; what a sketch gives away, and to whom, is `broker.matching.distance`'s to say. It
goes with its deposit, and with its time. It compares nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from broker.store.ledger import DAY_SECONDS, SHORT_DAYS
from broker.store.tables import counted_sets

KEPT_SECONDS = SHORT_DAYS * DAY_SECONDS


@dataclass(frozen=True)
class Sketch:
    """What is kept of the list of one deposit: `tokens` is their number, `fingerprints` are sorted, 4 bytes each, big
    endian."""

    salt: bytes = field(repr=False)
    tokens: int
    digest: bytes = field(repr=False)
    fingerprints: bytes = field(repr=False)


def keep(
    connection: Connection,
    *,
    space_id: bytes,
    requester: str,
    request_id: bytes,
    sketches: Mapping[int, Sketch],
    now: int,
) -> None:
    """Keep what a count was told of: one sketch for each deposit that was searched, by its number."""
    rows = [
        {
            "request_id": request_id,
            "deposit_number": number,
            "space_id": space_id,
            "requester": requester,
            "counted_at": now,
            **vars(each),
        }
        for number, each in sketches.items()
    ]
    if rows:
        connection.execute(insert(counted_sets), rows)


@dataclass(frozen=True)
class Counted:
    """What is kept of the list of one deposit that one request was told a count of."""

    request_id: bytes
    deposit_number: int
    sketch: Sketch


def earlier(
    connection: Connection, space_id: bytes, requester: str, deposit_numbers: Iterable[int], now: int
) -> Sequence[Counted]:
    """What the requester was told counts of in these deposits in the time they weigh."""
    columns = [counted_sets.c[name] for name in Sketch.__dataclass_fields__]
    query = select(counted_sets.c.request_id, counted_sets.c.deposit_number, *columns).where(
        counted_sets.c.space_id == space_id,
        counted_sets.c.requester == requester,
        counted_sets.c.counted_at > now - KEPT_SECONDS,
        counted_sets.c.deposit_number.in_(list(deposit_numbers)),
    )
    return [
        Counted(request_id, number, Sketch(*kept)) for request_id, number, *kept in connection.execute(query)
    ]


def renew(connection: Connection, request_id: bytes, now: int) -> None:
    """The very same count was told again: what is kept of it weighs from now."""
    rows = counted_sets.c.request_id == request_id
    connection.execute(update(counted_sets).where(rows).values(counted_at=now))


def forget(connection: Connection, now: int) -> int:
    """Delete what weighs on no budget any more. Returns how many rows there were."""
    over = counted_sets.c.counted_at <= now - KEPT_SECONDS
    return connection.execute(delete(counted_sets).where(over)).rowcount
