"""One-time prekeys: to each, one contributor wraps the shares of one series.

Rule (DESIGN 2.2): a prekey is destroyed in the transaction that accepts its share, and unused ones after 30 days, so
that a holder's later keys open no share that was captured on its way. The private part is sealed at rest.
"""

from broker.protocol import documents, wrapping
from broker.protocol.messages.series import Prekey, PrekeyPack
from clients.keyholder.context import KeyHolder
from clients.keyholder.store import series as rows
from clients.keyholder.store.database import Connection
from clients.keyholder.store.series import StoredPrekey

PACK_SIZE = 16
LIFETIME_SECONDS = 30 * 86_400
LEAST_LIFETIME_SECONDS = 86_400
"""A prekey with less time left is not offered any more."""


def issue_pack(holder: KeyHolder) -> str:
    """A signed pack of 16 unused prekeys, fresh ones drawn for those used or about to end."""
    now = holder.clock()
    with holder.database.read() as connection:
        offered = rows.unused_prekeys(connection, now + LEAST_LIFETIME_SECONDS)
    if len(offered) < PACK_SIZE:
        with holder.database.write() as connection:
            offered = _refill(holder, connection, now)
    offered = offered[:PACK_SIZE]
    pack = PrekeyPack(
        holder_id=holder.keys.holder_id,
        prekeys=tuple(Prekey(prekey_id=each.prekey_id, public_key=each.public_key) for each in offered),
        issued_at=now,
        expires_at=min(each.expires_at for each in offered),
    )
    return documents.sign(pack, holder.keys.signing_key).document


def _refill(holder: KeyHolder, connection: Connection, now: int) -> tuple[StoredPrekey, ...]:
    rows.destroy_expired_prekeys(connection, now)
    missing = PACK_SIZE - len(rows.unused_prekeys(connection, now + LEAST_LIFETIME_SECONDS))
    for _ in range(missing):
        pair, prekey_id = wrapping.generate_key_pair(), holder.random_bytes(16)
        sealed = holder.keys.storage_key.seal_prekey(pair.private, prekey_id, holder.random_bytes)
        rows.add_prekey(connection, StoredPrekey(prekey_id, pair.public, sealed, now + LIFETIME_SECONDS))
    return rows.unused_prekeys(connection, now + LEAST_LIFETIME_SECONDS)
