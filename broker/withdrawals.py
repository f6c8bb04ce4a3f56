"""A contributor takes back one deposit; some records of it are `broker.root_changes`, a whole series `broker.series`.

Rule (decision 0006): the contributor's signed statement is all it takes, and the rows are deleted in the transaction
that logs it: both or neither. The write-ahead log is emptied before the answer.
"""

from broker import retractions
from broker.audit.log import Receipt
from broker.audit.records import DepositWithdrawn
from broker.context import Broker
from broker.deposits import own_deposit
from broker.protocol.documents import Signed, verify
from broker.protocol.errors import BadInput, Conflict
from broker.protocol.messages.consent import RetractionGround
from broker.protocol.messages.deposits import DepositWithdrawal
from broker.protocol.messages.vocabulary import RecordKind
from broker.registry import Caller
from broker.store import deposits as rows
from broker.store.database import Connection


def withdraw_deposit(broker: Broker, caller: Caller, deposit_id: bytes, document: str) -> Receipt:
    """Take one deposit back; the same statement again gives its receipt again.

    Raises NotFound, VerificationFailed, BadInput, Conflict, or Unavailable when rows linger: repeat the call."""
    signed = verify(DepositWithdrawal, document, caller.signing_key)
    now = broker.clock()
    with broker.database.write() as connection:
        deposit = own_deposit(connection, caller, deposit_id)
        if signed.payload.deposit_id != deposit_id:
            raise BadInput("The statement withdraws another deposit than the address names.")
        if deposit.withdrawn_index is not None:
            if deposit.withdrawal != document:
                raise Conflict("The deposit was withdrawn before, by another statement.")
            receipt = broker.audit.receipt(connection, deposit.withdrawn_index)
        else:
            receipt = _erase_deposit(broker, connection, deposit, signed, now)
    broker.database.empty_wal()
    return receipt


def _erase_deposit(
    broker: Broker,
    connection: Connection,
    deposit: rows.StoredDeposit,
    signed: Signed[DepositWithdrawal],
    now: int,
) -> Receipt:
    # Before the rows go: whom they were disclosed to.
    found = retractions.recipients(broker, connection, deposit, None)
    erased = rows.erase(connection, deposit.deposit_number, "withdrawn")
    if erased is None:
        raise Conflict("The deposit is gone already: with its series, or since its retention is over.")
    record = DepositWithdrawn(
        deposit_id=deposit.deposit_id,
        series_id=deposit.series_id,
        space_id=deposit.space_id,
        contributor=deposit.contributor,
        withdrawal_digest=signed.digest,
        records_deleted=erased,
        notices=len(found),
    )
    receipt = broker.audit.append(connection, RecordKind.DEPOSIT_WITHDRAWN, record, now)
    rows.note_withdrawal(connection, deposit.deposit_number, signed.document, receipt.proof.index)
    cause = retractions.Cause(RetractionGround.WITHDRAWN, signed.digest)
    retractions.notify(broker, connection, deposit, found, cause, now)
    return receipt
