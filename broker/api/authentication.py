"""Who calls: the FastAPI dependencies that read a body once, verify its signature and refuse a repeat.

Rule (AUDIT 5): RFC 9421 over the exact bytes received, with the target URI under the broker's public origin; raw
header lines, so that duplicates are seen; (key, nonce) is durable before the call is acted upon; an Idempotency-Key
binds one call. Of a call that came in a bundle, the bundle's signed header says who signed (`broker.api.carried`); all
else is the same. What the caller may do is for the step itself to say.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from broker.context import Broker
from broker.protocol.calls import WINDOW_SECONDS, Unauthenticated, VerifiedCall, verify_call
from broker.protocol.carried import CarriedBy
from broker.protocol.carried_calls import evidence
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import MessageT, blob_to_text, read
from broker.protocol.messages.vocabulary import Role
from broker.refusals import TooLarge
from broker.registry import Caller
from broker.store import calls, parties
from broker.store.database import Connection


@dataclass(frozen=True)
class Authenticated:
    """Evidence of who signed a call, that it is no repeat, and its exact body."""

    caller: Caller
    call: VerifiedCall
    body: bytes = field(repr=False)

    def message(self, kind: type[MessageT]) -> MessageT:
        """The body as a wire type. Raises BadInput."""
        return read(kind, self.body)


def broker_of(request: Request) -> Broker:
    """The one broker this application serves."""
    broker = request.app.state.broker
    if not isinstance(broker, Broker):
        raise TypeError("the application was made without a broker")
    return broker


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The body, read once. Raises TooLarge as soon as it is longer than the limit, or says that it will be."""
    announced = request.headers.get("content-length", "0")
    if not announced.isascii() or not announced.isdigit():
        raise BadInput("The Content-Length is not a number.")
    if len(announced) > 12 or int(announced) > limit_bytes:
        raise TooLarge("The body is larger than this broker takes.")
    parts: list[bytes] = []
    length = 0
    try:
        async for part in request.stream():
            length += len(part)
            if length > limit_bytes:
                raise TooLarge("The body is larger than this broker takes.")
            parts.append(part)
    except ClientDisconnect as error:
        raise BadInput("The call broke off before its end. Make it again.") from error
    return b"".join(parts)


async def authenticate(request: Request, broker: Annotated[Broker, Depends(broker_of)]) -> Authenticated:
    """Verify the call of an accepted party or of the operator.

    Raises Unauthenticated, TooLarge, or Conflict (the Idempotency-Key was used for another call)."""
    body = await read_body(request, broker.settings.maximum_body_bytes)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.scope["headers"]]
    target, carried = _target(request), evidence(request.scope)
    if carried is not None:
        return await run_in_threadpool(_accept_carried, broker, request.method, target, carried, body)
    return await run_in_threadpool(_verify, broker, request.method, target, headers, body)


def _target(request: Request) -> str:
    """Path and query exactly as they came."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


def _verify(
    broker: Broker, method: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> Authenticated:
    now = broker.clock()
    with broker.database.read() as connection:
        keys = parties.accepted_keys(connection)
    keys[broker.settings.operator_kid] = bytes.fromhex(broker.settings.operator_key)
    url = broker.settings.public_origin + target
    call = verify_call(keys, method=method, url=url, headers=headers, body=body, now=now)
    with broker.database.write() as connection:
        # The window is checked on both sides of the clock, so a nonce could come again for twice as long.
        expires_at = call.created_at + 2 * WINDOW_SECONDS
        if not calls.use_nonce(connection, call.kid, call.nonce, now, expires_at):
            raise Unauthenticated("This call was received before. Sign it anew, with a fresh nonce.")
        enrolment, _ = _bind(connection, call, method, target, body, now)
    if call.kid == broker.settings.operator_kid:
        return Authenticated(Caller(call.kid, keys[call.kid], "operator", None), call, body)
    return _authenticated(enrolment, call, body)


def _accept_carried(
    broker: Broker, method: str, target: str, carried: CarriedBy, body: bytes
) -> Authenticated:
    """A call whose bundle was verified and opened."""
    if method == "POST" and carried.idempotency_key is None:
        raise Unauthenticated("A POST needs an Idempotency-Key of 8 to 64 characters.")
    nonce = blob_to_text(carried.bundle_id)
    call = VerifiedCall(carried.kid, nonce, carried.created_at, carried.idempotency_key)
    with broker.database.write() as connection:
        enrolment, known = _bind(connection, call, method, target, body, broker.clock())
    return _authenticated(enrolment, call, body, repeated=known or carried.repeated)


def _bind(
    connection: Connection, call: VerifiedCall, method: str, target: str, body: bytes, now: int
) -> tuple[parties.StoredEnrolment | None, bool]:
    """Bind the Idempotency-Key to this call.

    Returns the enrolment of who signed it, or None (the operator), and whether the key was this call's already."""
    digest = hashlib.sha256(b"\x00".join((method.encode(), target.encode("latin-1"), body))).digest()
    known = False
    if call.idempotency_key is not None:
        known = not calls.use_idempotency_key(connection, call.kid, call.idempotency_key, digest, now)
    return parties.enrolment(connection, call.kid), known


def _authenticated(
    enrolment: parties.StoredEnrolment | None, call: VerifiedCall, body: bytes, *, repeated: bool = False
) -> Authenticated:
    if enrolment is None:
        raise Unauthenticated("The call's signature is missing, or does not verify under an accepted key.")
    party = (enrolment.signing_key, enrolment.party_id, Role(enrolment.role))
    caller = Caller(call.kid, *party, repeated=repeated)
    return Authenticated(caller, call, body)


BrokerInUse = Annotated[Broker, Depends(broker_of)]
"""Annotate an endpoint's parameter with this to be given the broker."""
Call = Annotated[Authenticated, Depends(authenticate)]
"""Annotate an endpoint's parameter with this to let only signed calls through."""
