"""What a requester was told and is taken back: its notices, and its acknowledgements."""

from fastapi import APIRouter, Response

from broker import retractions
from broker.api.answers import named, reply
from broker.api.authentication import BrokerInUse, Call
from broker.protocol.messages.envelopes import DocumentMessage

router = APIRouter()


@router.get("/v1/retractions")
def show(call: Call, broker: BrokerInUse) -> Response:
    """The caller's notices that it has not acknowledged; that it was shown them is logged."""
    return reply(retractions.show(broker, call.caller))


@router.post("/v1/retractions/{notice_id}")
def acknowledge(notice_id: str, call: Call, broker: BrokerInUse) -> Response:
    """A requester says what it did: erased, or kept on a lawful ground."""
    document = call.message(DocumentMessage).document
    return reply(retractions.acknowledge(broker, call.caller, named(notice_id, 16), document).message())
