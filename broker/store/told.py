"""Which records an answer told of, so that a withdrawal finds whom to notify without reading every answer.

Rule (decision 0049): a row is written in the transaction that keeps the answer, and goes in the one that deletes its
record; so it says nothing that answer and record together do not. Of the token it has a digest, since PostgreSQL leaves
a deleted row's bytes in its page. What was told, and at which place, the signed answer says: a row only leads to it.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select

from broker.store.matches import Match
from broker.store.tables import permits, requests, told_records

DIGEST_BYTES = 16
_AT_ONCE = 100
"""Answers in memory at a time."""
_DIGESTS_PER_QUERY = 500


@dataclass(frozen=True)
class Told:
    """One answered request, and the exact answer."""

    request_id: bytes
    requester: str
    answer: bytes = field(repr=False)


def token_digest(token: bytes) -> bytes:
    """What stands for a token, 16 bytes. A token is no guess of anybody's, so nobody finds it by trying."""
    return hashlib.sha256(b"narrowgate/v1/told-token\x00" + token).digest()[:DIGEST_BYTES]


def keep(connection: Connection, permit_id: bytes, told: Iterable[Match]) -> None:
    """Keep which records the answer under a permit tells of."""
    rows = [
        {
            "permit_id": permit_id,
            "deposit_number": match.deposit_number,
            "token_digest": token_digest(match.token),
        }
        for match in told
    ]
    if rows:
        connection.execute(insert(told_records), rows)


def answers(connection: Connection, deposit_number: int, tokens: Collection[bytes] | None) -> Iterator[Told]:
    """The answers that told of these records of a deposit, in order of their permits, a hundred in memory at a time.

    Args:
        tokens: of the records; None for all of the deposit."""
    permit_ids = _permits(connection, deposit_number, tokens)
    for at in range(0, len(permit_ids), _AT_ONCE):
        query = (
            select(requests.c.request_id, requests.c.requester, permits.c.disclosure)
            .join(permits, permits.c.request_id == requests.c.request_id)
            .where(permits.c.permit_id.in_(permit_ids[at : at + _AT_ONCE]))
            .order_by(permits.c.permit_id)
        )
        for row in connection.execute(query):
            yield Told(bytes(row.request_id), row.requester, bytes(row.disclosure or b""))


def forget_deposit(connection: Connection, deposit_number: int) -> None:
    """Delete what points to the records of a deposit."""
    connection.execute(delete(told_records).where(told_records.c.deposit_number == deposit_number))


def forget_records(connection: Connection, deposit_number: int, tokens: Sequence[bytes]) -> None:
    """Delete what points to these records; at most 500 tokens."""
    digests = [token_digest(token) for token in tokens]
    connection.execute(
        delete(told_records).where(
            told_records.c.deposit_number == deposit_number, told_records.c.token_digest.in_(digests)
        )
    )


def _permits(
    connection: Connection, deposit_number: int, tokens: Collection[bytes] | None
) -> Sequence[bytes]:
    of_deposit = told_records.c.deposit_number == deposit_number
    query = select(told_records.c.permit_id).where(of_deposit).distinct()
    if tokens is None:
        return sorted(map(bytes, connection.execute(query).scalars()))
    found: set[bytes] = set()
    digests = [token_digest(token) for token in tokens]
    for at in range(0, len(digests), _DIGESTS_PER_QUERY):
        chunk = told_records.c.token_digest.in_(digests[at : at + _DIGESTS_PER_QUERY])
        found.update(map(bytes, connection.execute(query.where(chunk)).scalars()))
    return sorted(found)
