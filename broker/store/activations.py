"""Queries about the rule bundles that were put in force at this broker, the newest last."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from broker.store import locks
from broker.store.tables import bundle_activations

_SUBJECT = "activations"


@dataclass(frozen=True)
class Activated:
    """One activation, and the place of its entry in the log."""

    bundle_digest: bytes
    log_index: int


def lock(connection: Connection) -> None:
    """Let nobody activate rules, or decide by any, until this transaction ends."""
    locks.lock(connection, _SUBJECT)


def hold(connection: Connection) -> None:
    """Let nobody activate rules until this transaction ends; others may decide."""
    locks.share(connection, _SUBJECT)


def newest(connection: Connection) -> Activated | None:
    """The latest activation, if there was any."""
    query = select(bundle_activations).order_by(bundle_activations.c.activation.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else Activated(row.bundle_digest, row.log_index)


def add(connection: Connection, bundle_digest: bytes, activated_at: int, log_index: int) -> None:
    """Keep an activation."""
    connection.execute(
        insert(bundle_activations).values(
            bundle_digest=bundle_digest, activated_at=activated_at, log_index=log_index
        )
    )
