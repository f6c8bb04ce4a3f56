"""Queries on what permits were used for, and on what was seen of the broker's log.

Rule: a permit id belongs to one set of terms for good, and is charged once. Rows are written in the transaction that
logs the evaluation, before any answer is computed (DESIGN 2.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from broker.protocol.messages.vocabulary import Tier
from clients.keyholder.store.tables import evaluations, forks, permits_used, seen_checkpoints


@dataclass(frozen=True)
class UsedPermit:
    """A permit this holder has answered under."""

    permit_id: bytes
    terms_digest: bytes
    space_id: bytes
    requester: str
    tier: Tier
    identifiers: int
    charged_at: int


@dataclass(frozen=True)
class Evaluated:
    """Identifiers evaluated for matching, and how many of their requests were for a count."""

    identifiers: int
    counts: int


@dataclass(frozen=True)
class SeenCheckpoint:
    """The largest checkpoint seen of one broker's log."""

    size: int
    root: bytes
    note: str


def find_permit(connection: Connection, permit_id: bytes) -> UsedPermit | None:
    """What a permit was used for, if it was."""
    row = connection.execute(select(permits_used).where(permits_used.c.permit_id == permit_id)).one_or_none()
    return None if row is None else UsedPermit(**{**row._mapping, "tier": Tier(row.tier)})


def charge_permit(connection: Connection, used: UsedPermit) -> None:
    """Keep the first use of a permit and what it is charged."""
    connection.execute(insert(permits_used).values(**vars(used)))


def charged_since(connection: Connection, space_id: bytes, requester: str, since: int) -> int:
    """The number of identifiers charged to a requester in a space after `since`."""
    query = select(func.coalesce(func.sum(permits_used.c.identifiers), 0)).where(
        permits_used.c.space_id == space_id,
        permits_used.c.requester == requester,
        permits_used.c.charged_at > since,
    )
    return int(connection.execute(query).scalar_one())


def evaluated_since(
    connection: Connection, space_id: bytes, requester: str, since: int, besides: bytes
) -> Evaluated:
    """What was evaluated for matching for a requester in a space after `since`, but for one permit."""
    query = select(
        func.coalesce(func.sum(permits_used.c.identifiers), 0),
        func.count().filter(permits_used.c.tier == Tier.COUNT),
    ).where(
        permits_used.c.space_id == space_id,
        permits_used.c.requester == requester,
        permits_used.c.charged_at > since,
        permits_used.c.tier != Tier.PAYLOAD,
        permits_used.c.permit_id != besides,
    )
    identifiers, counts = connection.execute(query).one()
    return Evaluated(int(identifiers), int(counts))


@dataclass(frozen=True)
class EvaluatedBefore:
    """The points evaluated for a permit, series and quorum, and where the entry stands in the holder's own log."""

    points_digest: bytes
    log_index: int


def evaluated_before(
    connection: Connection, permit_id: bytes, series_id: bytes, quorum: Sequence[int]
) -> EvaluatedBefore | None:
    """What was evaluated for this permit, series and quorum, if anything was."""
    query = select(evaluations.c.points_digest, evaluations.c.log_index).where(
        evaluations.c.permit_id == permit_id,
        evaluations.c.series_id == series_id,
        evaluations.c.quorum == _text(quorum),
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else EvaluatedBefore(row.points_digest, row.log_index)


def add_evaluation(
    connection: Connection,
    *,
    permit_id: bytes,
    series_id: bytes,
    quorum: Sequence[int],
    points_digest: bytes,
    evaluated_at: int,
    log_index: int,
) -> None:
    """Keep that these points are evaluated."""
    connection.execute(
        insert(evaluations).values(
            permit_id=permit_id,
            series_id=series_id,
            quorum=_text(quorum),
            points_digest=points_digest,
            evaluated_at=evaluated_at,
            log_index=log_index,
        )
    )


def seen(connection: Connection, log_keys: Sequence[bytes]) -> SeenCheckpoint | None:
    """The largest checkpoint seen of the log that has, or had, these keys."""
    of_log = select(seen_checkpoints).where(seen_checkpoints.c.log_key.in_(log_keys))
    row = connection.execute(of_log.order_by(seen_checkpoints.c.size.desc()).limit(1)).one_or_none()
    return None if row is None else SeenCheckpoint(row.size, row.root, row.note)


def keep_seen(
    connection: Connection, log_keys: Sequence[bytes], checkpoint: SeenCheckpoint, now: int
) -> None:
    """Replace the largest checkpoint seen. The caller has proved that the new one continues the old.

    A log that changed its key is one log: a space that has not followed yet finds the same under the old key."""
    connection.execute(delete(seen_checkpoints).where(seen_checkpoints.c.log_key.in_(log_keys)))
    rows = [{"log_key": key, "seen_at": now, **vars(checkpoint)} for key in log_keys]
    connection.execute(insert(seen_checkpoints), rows)


def add_fork(connection: Connection, log_key: bytes, seen_note: str, other_note: str, now: int) -> None:
    """Keep two contradicting notes; the same pair is kept once."""
    known = select(forks.c.fork).where(forks.c.log_key == log_key, forks.c.other_note == other_note).limit(1)
    if connection.execute(known).one_or_none() is None:
        connection.execute(
            insert(forks).values(log_key=log_key, seen_note=seen_note, other_note=other_note, found_at=now)
        )


def count_forks(connection: Connection) -> int:
    """How many contradictions of a broker's log were found."""
    return int(connection.execute(select(func.count()).select_from(forks)).scalar_one())


def count_evaluations(connection: Connection) -> int:
    """How many evaluations were answered."""
    return int(connection.execute(select(func.count()).select_from(evaluations)).scalar_one())


def _text(quorum: Sequence[int]) -> str:
    return ",".join(str(x) for x in quorum)
