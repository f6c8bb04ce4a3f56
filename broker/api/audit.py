"""Records beside the log, for auditors. Reading them is itself an entry (AUDIT 3, promise 1)."""

from fastapi import APIRouter, Response

from broker.api.answers import reply
from broker.api.authentication import BrokerInUse, Call
from broker.audit.records import RecordsRead
from broker.protocol.messages.vocabulary import RecordKind
from broker.registry import require_auditor

router = APIRouter()


@router.get("/v1/audit/records")
def records(start: int, end: int, call: Call, broker: BrokerInUse) -> Response:
    """Records with the salts that open their leaves, from start up to, not including, end: at most 1,000."""
    now = broker.clock()
    with broker.database.write() as connection:
        require_auditor(connection, call.caller)
        page = broker.audit.record_page(connection, start, end)
        read = RecordsRead(
            auditor=call.caller.party_id, kid=call.caller.kid, start=start, end=end, read_at=now
        )
        broker.audit.append(connection, RecordKind.RECORDS_READ, read, now)
    return reply(page)
