"""A contributor changes the root over a deposit's records: takes some back, or puts newer ones in their place.

Rule (decisions 0006, 0008): statements of both kinds follow one another in one sequence. Rows, log entry and statement
are one transaction, in which the root the contributor signed is derived from the rows themselves, so that every record
left still proves where it came from. Which records a statement is about is neither kept nor logged, and no byte of what
was taken back or replaced stays in the database's files: the write-ahead log is emptied before the answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from broker import contests, retractions, roots
from broker.audit.log import Receipt
from broker.audit.records import RecordsReplaced, RecordsWithdrawn
from broker.context import Broker
from broker.deposits import MAXIMUM_RECORD_VERSION, own_deposit
from broker.protocol.documents import Signed, verify
from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.messages.base import Message
from broker.protocol.messages.consent import RetractionGround
from broker.protocol.messages.deposits import TOKEN_BYTES, DepositDeclaration, Record, decode_batch
from broker.protocol.messages.roots import (
    RecordReplacement,
    RecordReplacementSubmission,
    RecordWithdrawal,
    RecordWithdrawalSubmission,
    RootChange,
    replaced_digest,
    withdrawn_digest,
)
from broker.protocol.messages.vocabulary import RecordKind
from broker.registry import Caller
from broker.store import deposits as rows
from broker.store import roots as changes
from broker.store.database import Connection

_CarriedOut = tuple[Message, Callable[[], None]]


@dataclass(frozen=True)
class _Change:
    """One statement on its way: what it says, and how it is carried out and recorded.

    `carry_out` changes the rows, given the deposit and what was declared of it, and returns the log's record and what
    notifies those who were told of the records, once that is logged."""

    document: str
    statement: RootChange
    kind: RecordKind
    carry_out: Callable[[Connection, rows.StoredDeposit, DepositDeclaration], _CarriedOut]


def withdraw_records(
    broker: Broker,
    caller: Caller,
    deposit_id: bytes,
    submission: RecordWithdrawalSubmission,
    contest: str | None = None,
) -> Receipt:
    """Take some records of a deposit back; the same statement again gives its receipt again and changes nothing.

    Args:
        contest: the signed `ContestStatement`, where they are taken back because they are contested.

    Walks the deposit's remaining records once, some 13 seconds a million in SQLite, which other writers wait for.
    Raises NotFound (the deposit, or a token of it), VerificationFailed (the signature, or the new root), BadInput,
    Conflict, or Unavailable: repeat the call."""
    signed = verify(RecordWithdrawal, submission.document, caller.signing_key)

    def carry_out(
        connection: Connection, deposit: rows.StoredDeposit, declared: DepositDeclaration
    ) -> _CarriedOut:
        tokens = _read_tokens(signed.payload, submission)
        contested = (
            None if contest is None else contests.check_contested(caller, deposit, signed.digest, contest)
        )
        _spare_self_test(declared, tokens)
        revoked = (
            None
            if submission.revocation is None
            else retractions.check_revocation(connection, caller, deposit, submission.revocation)
        )
        # Before the rows go: whom they were disclosed to.
        found = retractions.recipients(broker, connection, deposit, tokens)
        if rows.erase_records(connection, deposit.deposit_number, tokens) != len(tokens):
            raise NotFound("The deposit holds no record of one of these tokens. Nothing was taken back.")

        def notify() -> None:
            cause = retractions.Cause(RetractionGround.WITHDRAWN, signed.digest)
            if contested is not None:
                cause = contests.begin(broker, connection, deposit, contested)
            elif revoked is not None:
                cause = replace(
                    cause, ground=RetractionGround.CONSENT_REVOKED, revocation_digest=revoked.digest
                )
            retractions.notify(broker, connection, deposit, found, cause, broker.clock())

        return _withdrawn(deposit, signed, len(found)), notify

    change = _Change(signed.document, signed.payload, RecordKind.RECORDS_WITHDRAWN, carry_out)
    return _change_root(broker, caller, deposit_id, change)


def replace_records(
    broker: Broker, caller: Caller, deposit_id: bytes, submission: RecordReplacementSubmission
) -> Receipt:
    """Put newer versions in the place of some records, each under its own token. Repeats, cost and errors as
    `withdraw_records`; Conflict also for a record whose version is not the next."""
    signed = verify(RecordReplacement, submission.document, caller.signing_key)

    def carry_out(
        connection: Connection, deposit: rows.StoredDeposit, declared: DepositDeclaration
    ) -> _CarriedOut:
        new = _read_records(signed.payload, submission, deposit.size_class)
        _spare_self_test(declared, [record.token for record in new])
        if changes.replace_records(connection, deposit.deposit_number, new) != len(new):
            raise Conflict(
                "The deposit holds no record of one of these tokens, or not of the version before. Nothing was "
                "replaced."
            )
        return _replaced(deposit, signed), _nobody_to_notify

    change = _Change(signed.document, signed.payload, RecordKind.RECORDS_REPLACED, carry_out)
    return _change_root(broker, caller, deposit_id, change)


def _change_root(broker: Broker, caller: Caller, deposit_id: bytes, change: _Change) -> Receipt:
    now, statement = broker.clock(), change.statement
    with broker.database.write() as connection:
        deposit = own_deposit(connection, caller, deposit_id)
        if statement.deposit_id != deposit_id:
            raise BadInput("The statement is about another deposit than the address names.")
        known = changes.change(connection, deposit.deposit_number, statement.number)
        if known is not None:
            if known.document != change.document:
                raise Conflict("A statement of this number came before, with other content.")
            receipt = broker.audit.receipt(connection, known.log_index)
        else:
            receipt = _take_effect(broker, connection, caller, deposit, change, now)
    broker.database.empty_wal()
    return receipt


def _take_effect(
    broker: Broker,
    connection: Connection,
    caller: Caller,
    deposit: rows.StoredDeposit,
    change: _Change,
    now: int,
) -> Receipt:
    statement, number = change.statement, deposit.deposit_number
    if deposit.state not in roots.WHOLE_STATES:
        raise Conflict("Records are taken back or replaced in a deposit that is complete and not gone.")
    if statement.number != changes.number_of_changes(connection, number) + 1:
        raise Conflict("Statements of a deposit follow one another without a gap.")
    declared = verify(DepositDeclaration, deposit.declaration, caller.signing_key).payload
    # 1. The rows go, or are replaced.
    record, notify = change.carry_out(connection, deposit, declared)
    # 2. What is there now gives the root that the contributor signed, or nothing is committed.
    frontier = roots.derived(connection, number)
    if (frontier.size, frontier.root()) != (statement.records, statement.root):
        raise VerificationFailed(
            "The records as they would be do not give the signed root. Nothing was changed."
        )
    changes.note_root(connection, number, frontier.size, frontier.to_bytes())
    # 3. Log and statement, in the same transaction.
    receipt = broker.audit.append(connection, change.kind, record, now)
    stored = changes.StoredChange(change.document, receipt.proof.index)
    changes.add_change(connection, number, statement.number, stored)
    # 4. And the notices to those who were told of what goes.
    notify()
    return receipt


def _nobody_to_notify() -> None:
    """A record that is replaced is still there: whoever asks again is told the newer one."""


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


def _read_records(
    statement: RecordReplacement, submission: RecordReplacementSubmission, size_class: int
) -> list[Record]:
    """The new records. Raises BadInput unless they are of the deposit's size, and those the statement binds."""
    new = list(decode_batch(submission.records, size_class))
    tokens = [record.token for record in new]
    if tokens != sorted(set(tokens)):
        raise BadInput("Records are in strictly increasing order of their tokens.")
    if len(new) != statement.records_replaced:
        raise BadInput("The statement names another number of records than came with it.")
    if any(record.record_version > MAXIMUM_RECORD_VERSION for record in new):
        raise BadInput("A record version is at most 1,000,000,000.")
    if replaced_digest(submission.nonce, submission.records) != statement.records_digest:
        raise BadInput("The records are not those the statement was signed over.")
    return new


def _spare_self_test(declared: DepositDeclaration, tokens: list[bytes]) -> None:
    if declared.self_test_token in tokens:
        raise BadInput(
            "The self-test record is nobody's and stays as it is. Withdraw the whole deposit instead."
        )


def _withdrawn(
    deposit: rows.StoredDeposit, signed: Signed[RecordWithdrawal], notices: int
) -> RecordsWithdrawn:
    statement = signed.payload
    return RecordsWithdrawn(
        deposit_id=deposit.deposit_id,
        series_id=deposit.series_id,
        space_id=deposit.space_id,
        contributor=deposit.contributor,
        withdrawal_digest=signed.digest,
        number=statement.number,
        records_deleted=statement.records_withdrawn,
        records=statement.records,
        root=statement.root,
        notices=notices,
    )


def _replaced(deposit: rows.StoredDeposit, signed: Signed[RecordReplacement]) -> RecordsReplaced:
    statement = signed.payload
    return RecordsReplaced(
        deposit_id=deposit.deposit_id,
        series_id=deposit.series_id,
        space_id=deposit.space_id,
        contributor=deposit.contributor,
        replacement_digest=signed.digest,
        number=statement.number,
        records_replaced=statement.records_replaced,
        records=statement.records,
        root=statement.root,
    )
