"""Who calls: the RFC 9421 signature of a call, under the keys of members, approvers and auditors of the pinned spaces,
and of contributors whose shares this holder has.

Rule: nonce and Idempotency-Key are durable before the call is acted upon, so that no recorded call counts twice
(AUDIT 5). Of a call that came in a bundle, the bundle's header says who signed (`carried`). It says who signed;
whether that party may do what it asks, each step checks itself.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from broker.protocol.calls import WINDOW_SECONDS, Unauthenticated, verify_call
from broker.protocol.carried import CarriedBy
from broker.protocol.documents import key_identifier
from clients.keyholder.context import Caller, KeyHolder
from clients.keyholder.pinning import pinned_spaces
from clients.keyholder.store import calls as rows
from clients.keyholder.store import series


@dataclass(frozen=True)
class ReceivedCall:
    """A call as it came: `path` with its query, raw header lines, and the whole body."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    carried: CarriedBy | None = None
    """Whose opened bundle it came in; None if it came over the network."""


def authenticate(holder: KeyHolder, call: ReceivedCall) -> Caller:
    """Verify the call and use up its nonce.

    Raises Unauthenticated, or Conflict when its Idempotency-Key was used for another call."""
    now = holder.clock()
    with holder.database.read() as connection:
        spaces = [space.payload for space in pinned_spaces(connection)]
        # A contributor that left the roster still has shares here, which it may take back.
        signing = [*series.contributor_keys(connection)]
    signing += [member.signing_key for space in spaces for member in space.members]
    signing += [person.signing_key for space in spaces for person in space.approvers]
    signing += [auditor.signing_key for space in spaces for auditor in space.auditors]
    keys = {key_identifier(key): key for key in signing}
    if call.carried is not None:
        return _accept_carried(holder, call, call.carried, keys, now)
    verified = verify_call(
        keys,
        method=call.method,
        url=holder.keys.origin + call.path,
        headers=call.headers,
        body=call.body,
        now=now,
    )
    with holder.database.write() as connection:
        # A clock may lag by the window and lead by it, so a nonce is kept for both.
        expires_at = now + 2 * WINDOW_SECONDS
        if not rows.use_nonce(connection, verified.kid, verified.nonce, now, expires_at):
            raise Unauthenticated("This call was made before. Sign each call anew, with a fresh nonce.")
        if verified.idempotency_key is not None:
            key, digest = verified.idempotency_key, _digest(call)
            rows.use_idempotency_key(connection, verified.kid, key, digest, now)
    return Caller(verified.kid, keys[verified.kid])


def _accept_carried(
    holder: KeyHolder, call: ReceivedCall, carried: CarriedBy, keys: Mapping[str, bytes], now: int
) -> Caller:
    """A call whose bundle was verified and opened."""
    if carried.kid not in keys or carried.idempotency_key is None:
        raise Unauthenticated("A carried call needs a known sender, and an Idempotency-Key.")
    with holder.database.write() as connection:
        key = carried.idempotency_key
        rows.use_idempotency_key(connection, carried.kid, key, _digest(call), now)
    return Caller(carried.kid, keys[carried.kid])


def _digest(call: ReceivedCall) -> bytes:
    return hashlib.sha256(b"\x00".join((call.method.encode(), call.path.encode(), call.body))).digest()
