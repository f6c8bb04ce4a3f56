"""A contributor takes back one deposit, or some records of it; a whole series is `broker.series`.

Rule (decision 0006): the contributor's signed statement is all it takes, and the rows are deleted in the transaction
that logs it: both or neither. Some records go only together with a newly signed root over the rest, which is derived
from the stored rows before anything is committed, so that every record left still proves where it came from. Tokens
taken back are neither kept nor logged. The write-ahead log is emptied before the answer.
"""

from broker.audit.log import Receipt
from broker.audit.records import DepositWithdrawn, RecordsWithdrawn
from broker.context import Broker
from broker.deposits import own_deposit
from broker.protocol import sealing
from broker.protocol.documents import Signed, verify
from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.merkle import Frontier, leaf_hash
from broker.protocol.messages.deposits import (
    TOKEN_BYTES,
    DepositDeclaration,
    DepositWithdrawal,
    RecordWithdrawal,
    RecordWithdrawalSubmission,
    withdrawn_digest,
)
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


def withdraw_records(
    broker: Broker, caller: Caller, deposit_id: bytes, submission: RecordWithdrawalSubmission
) -> Receipt:
    """Take some records of a deposit back; the same statement again gives its receipt again and changes nothing.

    Walks the deposit's remaining records once, some 13 seconds a million in SQLite, which other writers wait for.
    Raises NotFound (the deposit, or a token of it), VerificationFailed (the signature, or the new root), BadInput,
    Conflict, or Unavailable: repeat the call."""
    signed = verify(RecordWithdrawal, submission.document, caller.signing_key)
    now = broker.clock()
    with broker.database.write() as connection:
        deposit = own_deposit(connection, caller, deposit_id)
        if signed.payload.deposit_id != deposit_id:
            raise BadInput("The statement is about another deposit than the address names.")
        known = rows.record_withdrawal(connection, deposit.deposit_number, signed.payload.number)
        if known is not None:
            if known.document != submission.document:
                raise Conflict("A statement of this number came before, with other content.")
            receipt = broker.audit.receipt(connection, known.log_index)
        else:
            tokens = _read_tokens(signed.payload, submission)
            receipt = _erase_records(broker, connection, caller, deposit, signed, tokens, now)
    broker.database.empty_wal()
    return receipt


def _erase_deposit(
    broker: Broker,
    connection: Connection,
    deposit: rows.StoredDeposit,
    signed: Signed[DepositWithdrawal],
    now: int,
) -> Receipt:
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
    )
    receipt = broker.audit.append(connection, RecordKind.DEPOSIT_WITHDRAWN, record, now)
    rows.note_withdrawal(connection, deposit.deposit_number, signed.document, receipt.proof.index)
    return receipt


def _read_tokens(statement: RecordWithdrawal, submission: RecordWithdrawalSubmission) -> list[bytes]:
    """The tokens taken back. Raises BadInput unless they are those the statement binds, each once."""
    data = submission.tokens
    tokens = [data[at : at + TOKEN_BYTES] for at in range(0, len(data), TOKEN_BYTES)]
    if len(data) % TOKEN_BYTES or tokens != sorted(set(tokens)):
        raise BadInput("Tokens are 16 bytes each, in strictly increasing order.")
    if len(tokens) != statement.records_withdrawn:
        raise BadInput("The statement names another number of tokens than came with it.")
    if withdrawn_digest(submission.nonce, data) != statement.tokens_digest:
        raise BadInput("The tokens are not those the statement was signed over.")
    return tokens


def _erase_records(
    broker: Broker,
    connection: Connection,
    caller: Caller,
    deposit: rows.StoredDeposit,
    signed: Signed[RecordWithdrawal],
    tokens: list[bytes],
    now: int,
) -> Receipt:
    statement, number = signed.payload, deposit.deposit_number
    if deposit.state not in ("complete", "serving"):
        raise Conflict("Records are taken back from a deposit that is complete and not gone.")
    if statement.number != rows.record_withdrawals_of(connection, number) + 1:
        raise Conflict("Statements of a deposit follow one another without a gap.")
    declared = verify(DepositDeclaration, deposit.declaration, caller.signing_key).payload
    if declared.self_test_token in tokens:
        raise BadInput("The self-test record is nobody's and stays. Withdraw the whole deposit instead.")
    # 1. The rows go.
    if rows.erase_records(connection, number, tokens) != len(tokens):
        raise NotFound("The deposit holds no record of one of these tokens. Nothing was taken back.")
    # 2. What remains gives the root that the contributor signed, or nothing is committed.
    frontier = _frontier_of(connection, number)
    if (frontier.size, frontier.root()) != (statement.records, statement.root):
        raise VerificationFailed(
            "The records that remain do not give the signed root. Nothing was taken back."
        )
    rows.note_remaining(connection, number, frontier.size, frontier.to_bytes())
    # 3. Log and statement, in the same transaction.
    record = RecordsWithdrawn(
        deposit_id=deposit.deposit_id,
        series_id=deposit.series_id,
        space_id=deposit.space_id,
        contributor=deposit.contributor,
        withdrawal_digest=signed.digest,
        number=statement.number,
        records_deleted=len(tokens),
        records=frontier.size,
        root=statement.root,
    )
    receipt = broker.audit.append(connection, RecordKind.RECORDS_WITHDRAWN, record, now)
    stored = rows.StoredWithdrawal(signed.document, receipt.proof.index)
    rows.add_record_withdrawal(connection, number, statement.number, stored)
    return receipt


def _frontier_of(connection: Connection, deposit_number: int) -> Frontier:
    frontier = Frontier()
    for token, version, sealed in rows.all_records(connection, deposit_number):
        frontier.append(leaf_hash(sealing.record_leaf(token, sealed, version)))
    return frontier
