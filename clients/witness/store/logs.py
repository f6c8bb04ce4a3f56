"""What a witness knows of each log: pinned keys, the newest checkpoint it cosigned, and forks it met.

Rule: every function runs in the caller's transaction. It decides nothing and checks no signature.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from clients.witness.store.tables import cosigned, forks, log_keys

MAXIMUM_FORKS = 100
"""Kept of one log: the first one is proof enough, and its key's holder must not fill the disk."""


@dataclass(frozen=True)
class Cosigned:
    """The newest checkpoint cosigned of one log; `note` as the log signed it."""

    origin: str
    size: int
    root: bytes
    note: str
    cosigned_at: int


@dataclass(frozen=True)
class Fork:
    """Two notes of one log and size with two roots, both signed by the log."""

    origin: str
    size: int
    other_root: bytes
    seen_note: str
    other_note: str
    found_at: int


def add_key(connection: Connection, origin: str, verifier_key: str, now: int) -> None:
    """Pin a log's key; one that is pinned already stays as it is."""
    if verifier_key not in keys_of(connection, origin):
        connection.execute(insert(log_keys).values(origin=origin, verifier_key=verifier_key, added_at=now))


def replace_keys(connection: Connection, origin: str, verifier_key: str, now: int) -> None:
    """Pin a key in the place of all that are pinned for the log."""
    others = (log_keys.c.origin == origin, log_keys.c.verifier_key != verifier_key)
    connection.execute(delete(log_keys).where(*others))
    add_key(connection, origin, verifier_key, now)


def keys_of(connection: Connection, origin: str) -> tuple[str, ...]:
    """The keys pinned for an origin, the oldest first; none for an unknown log."""
    query = (
        select(log_keys.c.verifier_key)
        .where(log_keys.c.origin == origin)
        .order_by(log_keys.c.added_at, log_keys.c.verifier_key)
    )
    return tuple(connection.execute(query).scalars())


def origins(connection: Connection) -> tuple[str, ...]:
    """All pinned logs, by name."""
    query = select(log_keys.c.origin).distinct().order_by(log_keys.c.origin)
    return tuple(connection.execute(query).scalars())


def newest(connection: Connection, origin: str) -> Cosigned | None:
    """The newest checkpoint cosigned of a log, or None."""
    row = connection.execute(select(cosigned).where(cosigned.c.origin == origin)).one_or_none()
    return None if row is None else Cosigned(row.origin, row.size, row.root, row.note, row.cosigned_at)


def remember(connection: Connection, checkpoint: Cosigned) -> None:
    """Put a checkpoint in the place of the newest one cosigned before."""
    connection.execute(delete(cosigned).where(cosigned.c.origin == checkpoint.origin))
    connection.execute(insert(cosigned).values(**vars(checkpoint)))


def keep_fork(connection: Connection, fork: Fork) -> None:
    """Keep evidence of a fork, each size and root once."""
    kept = select(func.count()).select_from(forks).where(forks.c.origin == fork.origin)
    same = kept.where(forks.c.size == fork.size, forks.c.other_root == fork.other_root)
    if connection.execute(same).scalar_one() or connection.execute(kept).scalar_one() >= MAXIMUM_FORKS:
        return
    connection.execute(insert(forks).values(**vars(fork)))


def forks_of(connection: Connection, origin: str) -> tuple[Fork, ...]:
    """The forks kept of a log, in the order they were met."""
    rows = connection.execute(select(forks).where(forks.c.origin == origin).order_by(forks.c.fork))
    return tuple(
        Fork(row.origin, row.size, row.other_root, row.seen_note, row.other_note, row.found_at)
        for row in rows
    )
