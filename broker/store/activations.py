"""Queries about the rule bundles this broker decided by, the newest last."""

from sqlalchemy import Connection, insert, select

from broker.store import locks
from broker.store.tables import bundle_activations


def lock(connection: Connection) -> None:
    """Let no other broker activate rules until this transaction ends."""
    locks.lock(connection, "activations")


def newest(connection: Connection) -> bytes | None:
    """The digest of the bundle activated last, if any was."""
    query = (
        select(bundle_activations.c.bundle_digest).order_by(bundle_activations.c.activation.desc()).limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def add(connection: Connection, bundle_digest: bytes, activated_at: int, log_index: int) -> None:
    """Keep an activation."""
    connection.execute(
        insert(bundle_activations).values(
            bundle_digest=bundle_digest, activated_at=activated_at, log_index=log_index
        )
    )
