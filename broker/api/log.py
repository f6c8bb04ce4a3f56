"""The log, for everybody: checkpoint, proofs and leaves. Leaves tell nothing but kinds and times of entries."""

from fastapi import APIRouter, Response

from broker.api.answers import reply
from broker.api.authentication import BrokerInUse

router = APIRouter()


@router.get("/v1/log/checkpoint")
def checkpoint(broker: BrokerInUse) -> Response:
    """The signed note of the newest checkpoint (C2SP tlog-checkpoint)."""
    with broker.database.read() as connection:
        return Response(broker.audit.checkpoint(connection), media_type="text/plain; charset=utf-8")


@router.get("/v1/log/consistency")
def consistency(old: int, new: int, broker: BrokerInUse) -> Response:
    """RFC 9162 2.1.4 proof between two sizes."""
    with broker.database.read() as connection:
        return reply(broker.audit.consistency(connection, old, new))


@router.get("/v1/log/proof")
def proof(index: int, size: int, broker: BrokerInUse) -> Response:
    """RFC 9162 2.1.3 proof of one leaf in the log of a size, with a checkpoint of that size."""
    with broker.database.read() as connection:
        return reply(broker.audit.inclusion(connection, index, size))


@router.get("/v1/log/leaves")
def leaves(start: int, end: int, broker: BrokerInUse) -> Response:
    """Leaves from start up to, not including, end: at most 1,000."""
    with broker.database.read() as connection:
        return reply(broker.audit.leaf_page(connection, start, end))
