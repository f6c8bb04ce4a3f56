"""Erase the shares of a series that its contributor took back.

Rule (DESIGN 2.2): the contributor's signed withdrawal is all it takes. The rows go under secure_delete with the log
entry in one transaction, then the write-ahead log is emptied, and only then the receipt leaves this holder. A repeat
is answered with the same receipt. What the disk or a backup keeps is the operator's: storage key and backups are one.
"""

from broker.protocol import documents
from broker.protocol.documents import Signed, verify
from broker.protocol.errors import BadInput, Conflict, NotFound
from broker.protocol.messages.series import DestructionReceipt, Withdrawal
from broker.protocol.messages.vocabulary import RecordKind
from clients.keyholder.context import Caller, KeyHolder
from clients.keyholder.own_log import ShareDestroyed
from clients.keyholder.pinning import member_by_key, pinned_space
from clients.keyholder.store import series as rows
from clients.keyholder.store.database import Connection


def destroy_shares(holder: KeyHolder, caller: Caller, series_id: bytes, document: str) -> str:
    """Erase, and return the signed DestructionReceipt. The contributor, a member or one no more, or any
    member may deliver the contributor's withdrawal.

    Raises NotFound, VerificationFailed (not the contributor's word), BadInput (for another series), Conflict, or
    Unavailable while the erased rows are still in the write-ahead log: repeat the call."""
    now = holder.clock()
    with holder.database.write() as connection:
        stored = rows.find(connection, series_id)
        if stored is None:
            raise NotFound("This key holder has no share of the series.")
        if caller.signing_key != stored.contributor_key:
            member_by_key(pinned_space(connection, stored.space_id).payload, caller.signing_key)
        if stored.destruction_receipt is None:
            withdrawal = _check_withdrawal(connection, stored, document)
            receipt = _erase(holder, connection, stored, withdrawal, now)
        elif stored.withdrawal != document:
            raise Conflict("The shares were erased before, on another statement of withdrawal.")
        else:
            receipt = stored.destruction_receipt
    holder.database.empty_wal()
    return receipt


def _check_withdrawal(connection: Connection, stored: rows.StoredSeries, document: str) -> Signed[Withdrawal]:
    members = pinned_space(connection, stored.space_id).payload.members
    # A contributor that has a new key in a newer roster signs with that; one that left, with the key it had.
    key = next(
        (each.signing_key for each in members if each.agency_id == stored.contributor), stored.contributor_key
    )
    signed = verify(Withdrawal, document, key)
    if signed.payload.series_id != stored.series_id:
        raise BadInput("The statement withdraws another series than the address names.")
    return signed


def _erase(
    holder: KeyHolder,
    connection: Connection,
    stored: rows.StoredSeries,
    withdrawal: Signed[Withdrawal],
    now: int,
) -> str:
    receipt = DestructionReceipt(
        series_id=stored.series_id,
        holder_id=holder.keys.holder_id,
        x=stored.x,
        withdrawal_digest=withdrawal.digest,
        destroyed_at=now,
    )
    document = documents.sign(receipt, holder.keys.signing_key).document
    rows.destroy_shares(connection, stored.series_id, withdrawal.document, document)
    record = ShareDestroyed(series_id=stored.series_id, x=stored.x, withdrawal_digest=withdrawal.digest)
    holder.log.append(connection, RecordKind.SHARE_DESTROYED, record, now)
    return document
