"""What is kept of calls: nonces, so that no call counts twice, and what an Idempotency-Key was used for.

Rule: (key, nonce) is durable before the call is acted upon, until no clock within the window could accept it. Nothing
of a call's body is kept.
"""

from sqlalchemy import Connection, delete, insert, select

from broker.protocol.errors import Conflict
from clients.keyholder.store.tables import idempotency_keys, nonces

IDEMPOTENCY_SECONDS = 7 * 86_400


def use_nonce(connection: Connection, kid: str, nonce: str, now: int, expires_at: int) -> bool:
    """Keep a nonce. Returns False if it was used before. Forgets those that are over."""
    connection.execute(delete(nonces).where(nonces.c.expires_at < now))
    query = select(nonces.c.nonce).where(nonces.c.kid == kid, nonces.c.nonce == nonce)
    if connection.execute(query).one_or_none() is not None:
        return False
    connection.execute(insert(nonces).values(kid=kid, nonce=nonce, expires_at=expires_at))
    return True


def is_used(connection: Connection, kid: str, nonce: str) -> bool:
    """Whether a nonce was used and is not over."""
    query = select(nonces.c.nonce).where(nonces.c.kid == kid, nonces.c.nonce == nonce)
    return connection.execute(query).one_or_none() is not None


def forget(connection: Connection, now: int) -> int:
    """Delete the nonces and idempotency keys that are over. Returns how many."""
    return sum(
        connection.execute(delete(table).where(table.c.expires_at < now)).rowcount
        for table in (nonces, idempotency_keys)
    )


def use_idempotency_key(
    connection: Connection, kid: str, idempotency_key: str, call_digest: bytes, now: int
) -> None:
    """Bind a key to what it is used for. Raises Conflict if it was used for another call in the last week."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.expires_at < now))
    query = select(idempotency_keys.c.call_digest).where(
        idempotency_keys.c.kid == kid, idempotency_keys.c.idempotency_key == idempotency_key
    )
    known = connection.execute(query).scalar_one_or_none()
    if known is None:
        row = {"kid": kid, "idempotency_key": idempotency_key, "call_digest": call_digest}
        connection.execute(insert(idempotency_keys).values(row | {"expires_at": now + IDEMPOTENCY_SECONDS}))
    elif known != call_digest:
        raise Conflict("This Idempotency-Key was used for another call. Use a new one for each step.")
