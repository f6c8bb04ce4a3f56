"""Matching requests: filing one, and sending the tokens of an admitted one."""

from fastapi import APIRouter, Response

from broker import exchange
from broker.api.answers import named, reply
from broker.api.authentication import BrokerInUse, Call
from broker.protocol.messages.requests import RequestSubmission, TokenSubmission

router = APIRouter()


@router.post("/v1/requests")
def file_request(call: Call, broker: BrokerInUse) -> Response:
    """Let the gate decide about a request; an admitted one is answered with its permit."""
    return reply(exchange.file_request(broker, call.caller, call.message(RequestSubmission)))


@router.post("/v1/requests/{request_id}/tokens")
def answer_tokens(request_id: str, call: Call, broker: BrokerInUse) -> Response:
    """Match the tokens of an admitted request, once, and answer what may leave."""
    submission = call.message(TokenSubmission)
    return reply(exchange.answer_tokens(broker, call.caller, named(request_id, 16), submission))
