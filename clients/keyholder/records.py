"""A holder's records for auditors: who may read them, and that each reading is an entry itself.

Rule (AUDIT 3, promise 1): only an auditor of the newest roster of a space that this holder's operator pinned reads
records; the entry that says so is durable before the records leave. The leaves are public. It shows no share, point or
answer: none is in a record.

A holder that serves several spaces shows an auditor of one the records of all, as a broker does: its log is one log.
"""

from broker.protocol.errors import NotPermitted
from broker.protocol.messages.log import RecordPage
from broker.protocol.messages.parties import Reviewer
from broker.protocol.messages.vocabulary import RecordKind
from clients.keyholder.context import Caller, KeyHolder
from clients.keyholder.own_log import RecordsRead
from clients.keyholder.pinning import pinned_spaces
from clients.keyholder.store.database import Connection


def read_records(holder: KeyHolder, caller: Caller, start: int, end: int) -> RecordPage:
    """Records with the salts that open their leaves, from start up to, not including, end: at most 1,000.

    Raises NotPermitted (not an auditor), BadInput (another page) or Unavailable (the reading was not recorded)."""
    now = holder.clock()
    with holder.database.write() as connection:
        auditor = _auditor(connection, caller)
        page = holder.log.record_page(connection, start, end)
        read = RecordsRead(auditor=auditor.party_id, kid=caller.kid, start=start, end=end, read_at=now)
        holder.log.append(connection, RecordKind.RECORDS_READ, read, now)
    return page


def _auditor(connection: Connection, caller: Caller) -> Reviewer:
    for space in pinned_spaces(connection):
        for auditor in space.payload.auditors:
            if auditor.signing_key == caller.signing_key:
                return auditor
    raise NotPermitted("Records are for auditors of a space that this key holder's operator pinned.")
