"""What contributors are asked before their own records are opened, and their answers."""

from fastapi import APIRouter, Response

from broker import releases
from broker.api.answers import named, reply
from broker.api.authentication import BrokerInUse, Call
from broker.protocol.messages.envelopes import DocumentMessage

router = APIRouter()


@router.get("/v1/releases")
def show(call: Call, broker: BrokerInUse) -> Response:
    """What this contributor is asked about its own records; that it looked is logged."""
    return reply(releases.show(broker, call.caller))


@router.post("/v1/releases/{permit_id}")
def answer(permit_id: str, call: Call, broker: BrokerInUse) -> Response:
    """A contributor releases its own records that a permit asks for, or refuses to."""
    document = call.message(DocumentMessage).document
    return reply(releases.answer(broker, call.caller, named(permit_id, 16), document).message())
