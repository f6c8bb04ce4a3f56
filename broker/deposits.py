"""Deposits at the broker, once declared: batches, completion, self-test, serving.

Rule (DESIGN 2.3): batches are numbered and idempotent, tokens strictly increase over the whole deposit, and the
running RFC 6962 root is stored in the transaction that stores the records, so that an upload goes on where it
stopped. A deposit serves only after the declared count and root were met and its self-test record was opened through
holders and broker. The broker sees tokens and sealed bytes, never an identifier. The first step,
`declare`, is `broker.declarations`.
"""

import hashlib

from broker.audit.log import Receipt
from broker.audit.records import DepositCompleted, DepositServing
from broker.context import Broker
from broker.declarations import declare
from broker.protocol import sealing
from broker.protocol.documents import verify
from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.merkle import Frontier, leaf_hash
from broker.protocol.messages.deposits import (
    MAXIMUM_BATCH_BYTES,
    DepositDeclaration,
    DepositState,
    Record,
    SelfTest,
    decode_batch,
)
from broker.protocol.messages.envelopes import SealedAnswer
from broker.protocol.messages.vocabulary import RecordKind
from broker.refusals import TooLarge
from broker.registry import Caller, load_space
from broker.store import deposits as rows
from broker.store.database import Connection

__all__ = ["complete", "declare", "own_deposit", "put_batch", "self_test_record", "serve", "state"]

MAXIMUM_RECORD_VERSION = 1_000_000_000
_GONE = "This deposit is withdrawn, or its retention is over."


def state(broker: Broker, caller: Caller, deposit_id: bytes) -> DepositState:
    """Where an upload stands, for its contributor. Raises NotFound."""
    with broker.database.read() as connection:
        return _state_of(own_deposit(connection, caller, deposit_id))


def put_batch(broker: Broker, caller: Caller, deposit_id: bytes, number: int, data: bytes) -> DepositState:
    """Store batch `number` (from 0). The same bytes under the same number are answered again and stored once.

    Raises BadInput (cut short, unsorted, repeated, too many), TooLarge, Conflict (gap, other bytes) or NotFound."""
    if len(data) > MAXIMUM_BATCH_BYTES:
        raise TooLarge("A batch is at most 8 MiB.")
    digest = hashlib.sha256(data).digest()
    with broker.database.write() as connection:
        deposit = own_deposit(connection, caller, deposit_id)
        if deposit.state in rows.GONE_STATES:
            raise Conflict(_GONE)
        if number < deposit.next_batch:
            if rows.batch_digest(connection, deposit.deposit_number, number) != digest:
                raise Conflict(
                    "This batch was stored before with other content. Ask for the deposit's state."
                )
            return _state_of(deposit)
        if deposit.state != "admitted":
            raise Conflict("This deposit takes no more batches.")
        if number != deposit.next_batch:
            raise Conflict("Batches follow one another without a gap. Ask for the deposit's state.")
        batch, frontier = _read_batch(deposit, rows.last_token(connection, deposit.deposit_number), data)
        return _state_of(rows.add_batch(connection, deposit, digest, batch, frontier.to_bytes()))


def complete(broker: Broker, caller: Caller, deposit_id: bytes) -> Receipt:
    """All batches are in: count, root and self-test record must be the declared ones.

    Raises NotFound, Conflict (records are missing) or VerificationFailed (they are not the declared ones)."""
    now = broker.clock()
    with broker.database.write() as connection:
        deposit = own_deposit(connection, caller, deposit_id)
        if deposit.completed_index is not None:
            return broker.audit.receipt(connection, deposit.completed_index)
        if deposit.state != "admitted":
            raise Conflict(_GONE)
        declaration = _declaration(deposit, caller)
        if deposit.records_stored != declaration.records:
            raise Conflict("Records are missing. Ask for the deposit's state and send the rest.")
        if Frontier.from_bytes(deposit.frontier).root() != declaration.root:
            raise VerificationFailed(
                "The stored records do not give the declared root. Declare a new deposit."
            )
        if rows.record(connection, deposit.deposit_number, declaration.self_test_token) is None:
            raise VerificationFailed("No record bears the declared self-test token. Declare a new deposit.")
        record = DepositCompleted(deposit_id=deposit_id, records=declaration.records, root=declaration.root)
        receipt = broker.audit.append(connection, RecordKind.DEPOSIT_COMPLETED, record, now)
        rows.mark_complete(connection, deposit.deposit_number, receipt.proof.index)
        return receipt


def self_test_record(broker: Broker, caller: Caller, deposit_id: bytes, token: bytes) -> SealedAnswer:
    """The one record whose token was declared as the self-test's, and no other.

    Raises NotFound (for any other token too) or Conflict (the deposit is not complete)."""
    with broker.database.read() as connection:
        deposit = own_deposit(connection, caller, deposit_id)
        if deposit.state not in ("complete", "serving"):
            raise Conflict("The self-test comes after the deposit is complete.")
        found = rows.record(connection, deposit.deposit_number, token)
        if found is None or token != _declaration(deposit, caller).self_test_token:
            raise NotFound("This is not the self-test token of the deposit.")
        return SealedAnswer(record_version=found.record_version, sealed=found.sealed)


def serve(broker: Broker, caller: Caller, deposit_id: bytes, document: str) -> Receipt:
    """The contributor found and opened the self-test record: requests may be matched from now on.

    Raises NotFound, BadInput, VerificationFailed or Conflict."""
    signed = verify(SelfTest, document, caller.signing_key)
    test, now = signed.payload, broker.clock()
    with broker.database.write() as connection:
        deposit = own_deposit(connection, caller, deposit_id)
        if (test.deposit_id, test.series_id) != (deposit_id, deposit.series_id):
            raise BadInput("The self-test is of another deposit than the address names.")
        if deposit.state == "serving" and deposit.serving_index is not None:
            return broker.audit.receipt(connection, deposit.serving_index)
        if deposit.state != "complete":
            raise Conflict(
                "A deposit serves after it is complete, and until it is withdrawn or its retention is over."
            )
        space = load_space(connection, deposit.space_id).payload
        indices = list(test.quorum)
        if len(indices) < space.threshold or indices != sorted(
            set(indices) & set(range(1, len(space.holders) + 1))
        ):
            raise BadInput(
                "The self-test's quorum is at least t of the space's holders, by increasing index."
            )
        token = _declaration(deposit, caller).self_test_token
        found = rows.record(connection, deposit.deposit_number, token)
        if found is None or hashlib.sha256(found.sealed).digest() != test.sealed_digest:
            raise VerificationFailed("The record that was opened is not the one stored here.")
        record = DepositServing(deposit_id=deposit_id, self_test_digest=signed.digest, quorum=test.quorum)
        receipt = broker.audit.append(connection, RecordKind.DEPOSIT_SERVING, record, now)
        rows.mark_serving(connection, deposit.deposit_number, receipt.proof.index)
        return receipt


def own_deposit(connection: Connection, caller: Caller, deposit_id: bytes) -> rows.StoredDeposit:
    """The caller's deposit. Raises NotFound for another's as for none."""
    known = rows.find(connection, deposit_id)
    if known is None or known.contributor != caller.party_id:
        raise NotFound("No such deposit of yours is known here.")
    return known


def _read_batch(deposit: rows.StoredDeposit, last: bytes, data: bytes) -> tuple[list[Record], Frontier]:
    """The batch's records, whose tokens go on from `last`, and the tree grown by them. Raises BadInput."""
    frontier = Frontier.from_bytes(deposit.frontier)
    batch: list[Record] = []
    for record in decode_batch(data, deposit.size_class):
        if record.token <= last:
            raise BadInput(
                "Tokens must increase strictly over the whole deposit: sort them, one record each."
            )
        if record.record_version > MAXIMUM_RECORD_VERSION:
            raise BadInput("A record version is at most 1,000,000,000.")
        frontier.append(leaf_hash(sealing.record_leaf(record.token, record.sealed, record.record_version)))
        last = record.token
        batch.append(record)
    if frontier.size > deposit.records_declared:
        raise BadInput("The batch holds more records than were declared.")
    return batch, frontier


def _declaration(deposit: rows.StoredDeposit, caller: Caller) -> DepositDeclaration:
    return verify(DepositDeclaration, deposit.declaration, caller.signing_key).payload


def _state_of(deposit: rows.StoredDeposit) -> DepositState:
    return DepositState.model_validate(
        {
            "deposit_id": deposit.deposit_id,
            "state": deposit.state,
            "next_batch": deposit.next_batch,
            "records_stored": deposit.records_stored,
        }
    )
