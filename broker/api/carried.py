"""Bundles that came on a stick: open one, take its calls through this very application, and seal the answers.

Rule: whoever brings the file proves nothing and learns nothing. The header must be signed by an accepted party (never
the operator), be for this broker, in time, and not come before the one it goes on from was answered. Every call then
goes through the same route and step as one over the network, the answers are sealed to the party's enrolled key, with
the log's checkpoint and a proof that it continues what was seen. Its id is kept from when all of it is answered, not
sooner, until it expires: one whose answering was cut short has not come.

The same bundle again is the same calls under the same Idempotency-Keys: it changes nothing and is answered again, but
reads nothing new. Whoever found it may have brought it, and its sender's readings are entries of the log.
"""

from dataclasses import dataclass, field
from functools import partial

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from broker.api.answers import reply
from broker.api.authentication import BrokerInUse, read_body
from broker.context import Broker
from broker.keys import carry_key_document
from broker.protocol import carried, checkpoint, documents
from broker.protocol.calls import Unauthenticated
from broker.protocol.carried import CarriedAnswers, CarriedBy, CarriedCalls, CarriedHeader
from broker.protocol.carried_answers import answer_bundle
from broker.protocol.carried_calls import answer_all
from broker.protocol.documents import Signed
from broker.protocol.messages.base import blob_to_text
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.parties import Enrolment
from broker.store import calls, parties

router = APIRouter()


@dataclass(frozen=True)
class _Opened:
    header: Signed[CarriedHeader]
    enrolment: Enrolment
    repeated: bool
    index: CarriedCalls
    bodies: list[bytes] = field(repr=False)


@router.get("/v1/carried/key")
def key(broker: BrokerInUse) -> Response:
    """The key that bundles to this broker are sealed to."""
    document = carry_key_document(broker.settings.public_origin, broker.keys)
    return reply(DocumentMessage(document=document))


@router.post("/v1/carried")
async def take(request: Request, broker: BrokerInUse) -> Response:
    """Take the calls of a bundle, in their order. Not a signed call: the bundle is."""
    data = await read_body(request, broker.settings.maximum_body_bytes)
    opened = await run_in_threadpool(_open, broker, data)
    header = opened.header.payload
    by = CarriedBy(opened.header.kid, header.bundle_id, header.created_at, repeated=opened.repeated)
    answers, bodies = await answer_all(request.app, opened.index.calls, opened.bodies, by)

    def sealed() -> bytes:
        note, proofs = _log(broker, opened.index.seen_sizes)
        index = CarriedAnswers(answers=answers, checkpoint=note, proofs=proofs)
        answered = answer_bundle(
            opened.header,
            opened.enrolment.wrapping_key,
            index,
            bodies,
            signing_key=broker.keys.signing_key,
            now=broker.clock(),
            random_bytes=broker.random_bytes,
        )
        with broker.database.write() as connection:
            name = blob_to_text(header.bundle_id)
            calls.use_nonce(connection, opened.header.kid, name, broker.clock(), header.expires_at)
        return answered

    return Response(await run_in_threadpool(sealed), media_type="application/octet-stream")


def _open(broker: Broker, data: bytes) -> _Opened:
    packed, now = carried.unpack(data), broker.clock()
    kid = packed.claimed_kid
    with broker.database.read() as connection:
        stored = parties.enrolment(connection, kid)
    if stored is None or stored.state != "accepted":
        raise Unauthenticated("The bundle's sender is not an accepted party of this broker.")
    own_kid = documents.key_identifier(broker.keys.signing_public)
    header = carried.verify(packed, stored.signing_key, own_kid, now)
    index, bodies = carried.open_bundle(header, packed.sealed, broker.keys.carry.private, CarriedCalls)
    said = header.payload
    with broker.database.write() as connection:
        carried.check_order(said, partial(calls.is_used, connection, kid))
        name = blob_to_text(said.bundle_id)
        calls.use_idempotency_key(connection, kid, name, header.digest, now)
        repeated = calls.is_used(connection, kid, name)
    enrolment = documents.verify(Enrolment, stored.document, stored.signing_key).payload
    return _Opened(header, enrolment, repeated, index, bodies)


def _log(broker: Broker, seen: tuple[int, ...]) -> tuple[str, tuple[carried.CarriedProof, ...]]:
    """The newest checkpoint, and how it continues the sizes that the sender saw."""
    note = broker.witnesses.published()
    size, _ = checkpoint.read_unverified(note.encode())
    with broker.database.read() as connection:
        largest = broker.audit.size(connection)
        return note, tuple(
            carried.CarriedProof(
                seen_size=each,
                path=broker.audit.consistency(connection, min(each, size), max(each, size)).path,
            )
            for each in seen
            if 0 < each <= largest and each != size
        )
