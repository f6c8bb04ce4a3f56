"""Enrolments: anybody may ask, the operator accepts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from broker import registry, retention
from broker.api.answers import reply
from broker.api.authentication import BrokerInUse, Call, read_body
from broker.protocol.messages.base import read
from broker.protocol.messages.envelopes import DocumentMessage, Nothing

router = APIRouter()

MAXIMUM_ENROLMENT_BYTES = 64 * 1024


async def _small_body(request: Request) -> bytes:
    return await read_body(request, MAXIMUM_ENROLMENT_BYTES)


@router.post("/v1/enrolments")
def enrol(body: Annotated[bytes, Depends(_small_body)], broker: BrokerInUse) -> Response:
    """Keep a self-signed enrolment until the operator looks at it. Not a signed call: the key is not known yet."""
    registry.enrol(broker, read(DocumentMessage, body).document)
    return reply(Nothing(), 202)


@router.get("/v1/operator/enrolments")
def enrolments(call: Call, broker: BrokerInUse) -> Response:
    """All enrolments, for the operator."""
    return reply(registry.enrolments(broker, call.caller))


@router.post("/v1/operator/enrolments/{kid}/accept")
def accept(kid: str, call: Call, broker: BrokerInUse) -> Response:
    """Accept a party's key."""
    call.message(Nothing)
    return reply(registry.accept_enrolment(broker, call.caller, kid).message())


@router.post("/v1/operator/purge")
def purge(call: Call, broker: BrokerInUse) -> Response:
    """Delete now what has had its time."""
    call.message(Nothing)
    return reply(retention.purge_for(broker, call.caller))
