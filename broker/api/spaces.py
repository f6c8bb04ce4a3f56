"""Spaces: founding, the document, and the wrapped salt."""

from fastapi import APIRouter, Response

from broker import registry
from broker.api.answers import named, reply
from broker.api.authentication import BrokerInUse, Call
from broker.protocol.messages.envelopes import DocumentMessage, DocumentsMessage, Nothing

router = APIRouter()


@router.post("/v1/spaces")
def found(call: Call, broker: BrokerInUse) -> Response:
    """Accept a space's document, or its next version."""
    document = call.message(DocumentMessage).document
    return reply(registry.found_space(broker, call.caller, document).message())


@router.get("/v1/spaces/{space_id}")
def space(space_id: str, call: Call, broker: BrokerInUse) -> Response:
    """The newest document, for whoever is named in it."""
    document = registry.space_document(broker, call.caller, named(space_id, 16))
    return reply(DocumentMessage(document=document))


@router.post("/v1/spaces/{space_id}/salt-wraps")
def add_salt_wraps(space_id: str, call: Call, broker: BrokerInUse) -> Response:
    """Keep salts wrapped to members."""
    documents = call.message(DocumentsMessage).documents
    registry.add_salt_wraps(broker, call.caller, named(space_id, 16), documents)
    return reply(Nothing())


@router.get("/v1/spaces/{space_id}/salt-wraps")
def salt_wraps(space_id: str, call: Call, broker: BrokerInUse) -> Response:
    """The caller's own wrapped salts."""
    documents = registry.salt_wraps(broker, call.caller, named(space_id, 16))
    return reply(DocumentsMessage(documents=documents))
