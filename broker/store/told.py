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
    """One answered request, the exact answer, and the digests of the tokens of one deposit that it told of."""

    request_id: bytes
    requester: str
    answer: bytes = field(repr=False)
    digests: frozenset[bytes] = field(repr=False)


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


def answers(connection: Connection, deposit_number: int, digests: Collection[bytes] | None) -> Iterator[Told]:
    """The answers that told of these records of a deposit, in order of their permits, a hundred in memory at a time.

    Args:
        digests: of the records' tokens; None for all of the deposit."""
    told = _told(connection, deposit_number, digests)
    permit_ids = sorted(told)
    for at in range(0, len(permit_ids), _AT_ONCE):
        query = (
            select(permits.c.permit_id, requests.c.request_id, requests.c.requester, permits.c.disclosure)
            .join(requests, requests.c.request_id == permits.c.request_id)
            .where(permits.c.permit_id.in_(permit_ids[at : at + _AT_ONCE]))
            .order_by(permits.c.permit_id)
        )
        for row in connection.execute(query):
            permit_id = bytes(row.permit_id)
            of_answer = told[permit_id] or _digests(connection, deposit_number, permit_id)
            yield Told(
                bytes(row.request_id), row.requester, bytes(row.disclosure or b""), frozenset(of_answer)
            )


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


def _told(
    connection: Connection, deposit_number: int, digests: Collection[bytes] | None
) -> dict[bytes, set[bytes]]:
    """By permit, which of these digests its answer told of; nothing behind a permit where all of the deposit are meant,
    whose rows may be many."""
    of_deposit = told_records.c.deposit_number == deposit_number
    if digests is None:
        query = select(told_records.c.permit_id).where(of_deposit).distinct()
        return {bytes(permit_id): set() for permit_id in connection.execute(query).scalars()}
    found: dict[bytes, set[bytes]] = {}
    wanted = sorted(digests)
    for at in range(0, len(wanted), _DIGESTS_PER_QUERY):
        chunk = told_records.c.token_digest.in_(wanted[at : at + _DIGESTS_PER_QUERY])
        rows = select(told_records.c.permit_id, told_records.c.token_digest).where(of_deposit, chunk)
        for row in connection.execute(rows):
            found.setdefault(bytes(row.permit_id), set()).add(bytes(row.token_digest))
    return found


def _digests(connection: Connection, deposit_number: int, permit_id: bytes) -> set[bytes]:
    query = select(told_records.c.token_digest).where(
        told_records.c.permit_id == permit_id, told_records.c.deposit_number == deposit_number
    )
    return set(map(bytes, connection.execute(query).scalars()))
