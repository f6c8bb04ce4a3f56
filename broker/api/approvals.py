"""What approvers tell the broker themselves: refusals, approvals taken back, reviews of emergencies."""

from fastapi import APIRouter, Response

from broker import approvals
from broker.api.answers import reply
from broker.api.authentication import BrokerInUse, Call
from broker.protocol.messages.envelopes import DocumentMessage

router = APIRouter()


@router.post("/v1/approvals/refusals")
def refuse(call: Call, broker: BrokerInUse) -> Response:
    """A person who was asked to approve a request refuses."""
    return reply(approvals.refuse(broker, call.caller, call.message(DocumentMessage).document).message())


@router.post("/v1/approvals/withdrawals")
def withdraw(call: Call, broker: BrokerInUse) -> Response:
    """A person takes an approval back."""
    return reply(approvals.withdraw(broker, call.caller, call.message(DocumentMessage).document).message())


@router.post("/v1/reviews")
def review(call: Call, broker: BrokerInUse) -> Response:
    """A judge or independent reviewer reviews what went by the emergency route."""
    return reply(approvals.review(broker, call.caller, call.message(DocumentMessage).document).message())
