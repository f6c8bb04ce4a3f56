"""What became of matches: the requester reports, the contributor reads numbers."""

from fastapi import APIRouter, Response

from broker import outcomes, statistics
from broker.api.answers import named, reply
from broker.api.authentication import BrokerInUse, Call
from broker.protocol.messages.outcomes import OutcomeSubmission

router = APIRouter()


@router.post("/v1/requests/{request_id}/outcome")
def report(request_id: str, call: Call, broker: BrokerInUse) -> Response:
    """Keep what a requester tells of its matches."""
    submission = call.message(OutcomeSubmission)
    return reply(outcomes.report(broker, call.caller, named(request_id, 16), submission).message())


@router.get("/v1/statistics")
def told(call: Call, broker: BrokerInUse) -> Response:
    """How often the caller's series were asked, on what grounds, and what came of it."""
    return reply(statistics.statistics_for(broker, call.caller))
