"""The log, for everybody: checkpoint and tiles (C2SP tlog-tiles), and proofs.

Rule: leaves tell nothing but kinds and times of entries, so these routes ask nobody who they are. A tile never changes
once it is given, so any cache may keep it; the checkpoint does, so none may.
"""

from fastapi import APIRouter, Response

from broker.api.answers import reply
from broker.api.authentication import BrokerInUse
from broker.protocol.tiles import CACHED_FOR_EVER, NEVER_CACHED, read_path

router = APIRouter()


@router.get("/checkpoint")
def checkpoint(broker: BrokerInUse) -> Response:
    """The signed note of the newest checkpoint, with the cosignatures of witnesses (C2SP tlog-checkpoint)."""
    note = broker.witnesses.published()
    return Response(note, media_type="text/plain; charset=utf-8", headers=NEVER_CACHED)


@router.get("/tile/{path:path}")
def tile(path: str, broker: BrokerInUse) -> Response:
    """A tile of hashes or an entry bundle (C2SP tlog-tiles)."""
    wanted = read_path(path)
    with broker.database.read() as connection:
        data = broker.audit.tile(connection, wanted)
    return Response(data, media_type="application/octet-stream", headers=CACHED_FOR_EVER)


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
