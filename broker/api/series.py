"""Key series: opening, closing, withdrawal, proof of destruction."""

from fastapi import APIRouter, Response

from broker import series
from broker.api.answers import named, reply
from broker.api.authentication import BrokerInUse, Call
from broker.protocol.messages.envelopes import DocumentMessage, DocumentsMessage, Nothing
from broker.protocol.messages.series import SeriesOpening

router = APIRouter()


@router.post("/v1/series")
def open_series(call: Call, broker: BrokerInUse) -> Response:
    """Open a series that enough holders accepted."""
    return reply(series.open_series(broker, call.caller, call.message(SeriesOpening)).message())


@router.post("/v1/series/{series_id}/close")
def close(series_id: str, call: Call, broker: BrokerInUse) -> Response:
    """The contributor erased its keys."""
    document = call.message(DocumentMessage).document
    series.close_series(broker, call.caller, named(series_id, 32), document)
    return reply(Nothing())


@router.post("/v1/series/{series_id}/withdraw")
def withdraw(series_id: str, call: Call, broker: BrokerInUse) -> Response:
    """Take a series back; its records are deleted at once."""
    document = call.message(DocumentMessage).document
    return reply(series.withdraw_series(broker, call.caller, named(series_id, 32), document).message())


@router.post("/v1/series/{series_id}/destruction-receipts")
def destruction_receipts(series_id: str, call: Call, broker: BrokerInUse) -> Response:
    """Holders' words that they erased their shares; 409 while more are needed."""
    documents = call.message(DocumentsMessage).documents
    receipt = series.add_destruction_receipts(broker, call.caller, named(series_id, 32), documents)
    return reply(receipt.message())
