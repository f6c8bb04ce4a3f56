"""Go on from an older copy of the folder, on the operator's signed word that the entries since are lost.

Rule (DESIGN 2.5): a permit is used once. A holder that lost entries does not know which permits it used, so the
statement is logged, and from then on no permit that was given before it is answered unless the old copy knows it
(`check_given_since`). One-time keys of the old copy go. It brings nothing back.

What else was lost the operator must mend: docs/settings.md, "A key holder's high-water mark".
"""

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, Conflict, NarrowgateError, Refused, VerificationFailed
from broker.protocol.messages.log import RestoreAccepted
from broker.protocol.messages.requests import PermitTerms
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog.storage import Head
from clients.keyholder.context import KeyHolder
from clients.keyholder.own_log import LogRestored
from clients.keyholder.store import restores
from clients.keyholder.store.database import Connection
from clients.keyholder.store.log import SqlLogStorage

CLOCKS_APART_SECONDS = 300
"""How far the clocks of a broker and a holder that both serve may be apart; calls allow 60 seconds on either side."""


def accept_restore(holder: KeyHolder, size: int, reason: str) -> Signed[RestoreAccepted]:
    """Sign and log that entries are lost, and begin a new mark.

    Args:
        holder: opened by `context.open_unmarked`.
        size: how many entries the copy has: who says it has looked.

    Raises BadInput (another size, or no reason) or Conflict (nothing is missing)."""
    now = holder.clock()
    if not reason.strip():
        raise BadInput("Say why, in a sentence: it is kept with the statement.")
    with holder.database.read() as connection:
        storage = SqlLogStorage(connection)
        head, marked = storage.head(), _marked(holder)
        if size != head.size:
            raise BadInput(
                f"The log in this folder has {head.size} entries. Look again, then say that number."
            )
        if _is_whole(holder, storage):
            raise Conflict(
                "Nothing is missing: the folder is as its high-water file says. Start the service."
            )
    statement = RestoreAccepted(
        holder_id=holder.keys.holder_id,
        marked_size=None if marked is None else marked.size,
        marked_root=None if marked is None else marked.root,
        restored_size=head.size,
        restored_root=head.root,
        reason=reason,
        accepted_at=now,
    )
    signed = documents.sign(statement, holder.keys.signing_key)
    record = LogRestored(
        marked_size=statement.marked_size, restored_size=head.size, document_digest=signed.digest
    )
    holder.high_water.set_aside()
    with holder.database.write() as connection:
        index = holder.log.append(connection, RecordKind.RESTORE_ACCEPTED, record, now)
        restores.add(connection, index, signed.document, now)
    holder.database.empty_wal()
    return signed


def check_given_since(connection: Connection, terms: PermitTerms) -> None:
    """A permit that this holder does not know was given after the latest restore, if there was one. Raises Refused."""
    accepted_at = restores.latest(connection)
    if accepted_at is not None and terms.not_before_at <= accepted_at + CLOCKS_APART_SECONDS:
        raise Refused(
            "This key holder was restored from a backup after the permit was given, and cannot know whether the permit "
            "was used here before. Name other holders, or file a new request."
        )


def _marked(holder: KeyHolder) -> Head | None:
    try:
        return holder.high_water.found()
    except VerificationFailed:
        return None  # damaged: what it said is lost


def _is_whole(holder: KeyHolder, storage: SqlLogStorage) -> bool:
    try:
        holder.high_water.check(storage)
    except NarrowgateError:
        return False
    return True
