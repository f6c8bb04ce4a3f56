"""What is kept of calls: nonces, so that no call counts twice, and what an Idempotency-Key was used for.

Rule (AUDIT 5): (key, nonce) is durable before the call is acted upon, until no clock within the window could accept
it; a retry is a new nonce under the same Idempotency-Key with the same content. Nothing of a call's body is kept.
"""

from sqlalchemy import Connection, Table, delete, select, text, tuple_

from broker.protocol.errors import Conflict
from broker.store.tables import idempotency_keys, nonces

IDEMPOTENCY_SECONDS = 7 * 86_400

# One statement finds out and keeps: of two brokers that are given one call, the second waits here and adds no row.
_USE_NONCE = text(
    "INSERT INTO nonces (kid, nonce, expires_at) VALUES (:kid, :nonce, :expires_at) ON CONFLICT DO NOTHING"
)
_USE_KEY = text(
    "INSERT INTO idempotency_keys (kid, idempotency_key, call_digest, expires_at)"
    " VALUES (:kid, :idempotency_key, :call_digest, :expires_at) ON CONFLICT DO NOTHING"
)


def use_nonce(connection: Connection, kid: str, nonce: str, now: int, expires_at: int) -> bool:
    """Keep a nonce. Returns False if it was used before. Forgets those that are over."""
    forget(connection, nonces, now)
    return (
        connection.execute(_USE_NONCE, {"kid": kid, "nonce": nonce, "expires_at": expires_at}).rowcount == 1
    )


def is_used(connection: Connection, kid: str, nonce: str) -> bool:
    """Whether a nonce was used and is not over."""
    query = select(nonces.c.nonce).where(nonces.c.kid == kid, nonces.c.nonce == nonce)
    return connection.execute(query).one_or_none() is not None


def use_idempotency_key(
    connection: Connection, kid: str, idempotency_key: str, call_digest: bytes, now: int
) -> bool:
    """Bind a key to what it is used for. Returns False if it was used for the very same in the last week.

    Raises Conflict if it was used for another call."""
    forget(connection, idempotency_keys, now)
    used = {
        "kid": kid,
        "idempotency_key": idempotency_key,
        "call_digest": call_digest,
        "expires_at": now + IDEMPOTENCY_SECONDS,
    }
    if connection.execute(_USE_KEY, used).rowcount == 1:
        return True
    query = select(idempotency_keys.c.call_digest).where(
        idempotency_keys.c.kid == kid, idempotency_keys.c.idempotency_key == idempotency_key
    )
    if connection.execute(query).scalar_one_or_none() != call_digest:
        raise Conflict("This Idempotency-Key was used for another call. Use a new one for each step.")
    return False


def forget(connection: Connection, table: Table, now: int) -> int:
    """Delete what is over at `now` of nonces or idempotency keys. Returns how many rows went.

    Rows that another broker is deleting are left to it: two that wait for each other would both fail."""
    key = list(table.primary_key)
    over = select(*key).where(table.c.expires_at < now).with_for_update(skip_locked=True)
    return connection.execute(delete(table).where(tuple_(*key).in_(over))).rowcount
