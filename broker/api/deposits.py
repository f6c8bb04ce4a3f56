"""Deposits: declaration, state, batches, completion, self-test, serving."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from broker import contests, deposits, root_changes, withdrawals
from broker.api.answers import named, reply
from broker.api.authentication import BrokerInUse, Call
from broker.protocol.messages.consent import ContestSubmission
from broker.protocol.messages.envelopes import DocumentMessage, Nothing, TokenQuery
from broker.protocol.messages.roots import RecordReplacementSubmission, RecordWithdrawalSubmission

router = APIRouter()


@router.post("/v1/deposits")
def declare(call: Call, broker: BrokerInUse) -> Response:
    """Let the gate decide about a deposit."""
    return reply(deposits.declare(broker, call.caller, call.message(DocumentMessage).document).message())


@router.get("/v1/deposits/{deposit_id}")
def state(deposit_id: str, call: Call, broker: BrokerInUse) -> Response:
    """Where an upload goes on."""
    return reply(deposits.state(broker, call.caller, named(deposit_id, 32)))


@router.post("/v1/deposits/{deposit_id}/batches/{number}")
def put_batch(
    deposit_id: str, number: Annotated[int, Path(ge=0, le=20_000_000)], call: Call, broker: BrokerInUse
) -> Response:
    """Store one batch of records."""
    return reply(deposits.put_batch(broker, call.caller, named(deposit_id, 32), number, call.body))


@router.post("/v1/deposits/{deposit_id}/complete")
def complete(deposit_id: str, call: Call, broker: BrokerInUse) -> Response:
    """All batches are in."""
    call.message(Nothing)
    return reply(deposits.complete(broker, call.caller, named(deposit_id, 32)).message())


@router.post("/v1/deposits/{deposit_id}/self-test-record")
def self_test_record(deposit_id: str, call: Call, broker: BrokerInUse) -> Response:
    """The record of the declared self-test token."""
    token = call.message(TokenQuery).token
    return reply(deposits.self_test_record(broker, call.caller, named(deposit_id, 32), token))


@router.post("/v1/deposits/{deposit_id}/serve")
def serve(deposit_id: str, call: Call, broker: BrokerInUse) -> Response:
    """The self-test was passed: the deposit serves."""
    document = call.message(DocumentMessage).document
    return reply(deposits.serve(broker, call.caller, named(deposit_id, 32), document).message())


@router.post("/v1/deposits/{deposit_id}/withdraw")
def withdraw(deposit_id: str, call: Call, broker: BrokerInUse) -> Response:
    """Take one deposit back; its records are deleted at once."""
    document = call.message(DocumentMessage).document
    receipt = withdrawals.withdraw_deposit(broker, call.caller, named(deposit_id, 32), document)
    return reply(receipt.message())


@router.post("/v1/deposits/{deposit_id}/withdraw-records")
def withdraw_records(deposit_id: str, call: Call, broker: BrokerInUse) -> Response:
    """Take some records of a deposit back; they are deleted at once."""
    submission = call.message(RecordWithdrawalSubmission)
    receipt = root_changes.withdraw_records(broker, call.caller, named(deposit_id, 32), submission)
    return reply(receipt.message())


@router.post("/v1/deposits/{deposit_id}/contest-records")
def contest_records(deposit_id: str, call: Call, broker: BrokerInUse) -> Response:
    """Take records back that somebody says are wrong or not theirs; they are deleted at once."""
    said = call.message(ContestSubmission)
    receipt = root_changes.withdraw_records(
        broker, call.caller, named(deposit_id, 32), said.withdrawal, said.statement
    )
    return reply(receipt.message())


@router.post("/v1/deposits/{deposit_id}/decide-contest")
def decide_contest(deposit_id: str, call: Call, broker: BrokerInUse) -> Response:
    """How a contest ended; who was told of the records is told so."""
    document = call.message(DocumentMessage).document
    return reply(contests.decide(broker, call.caller, named(deposit_id, 32), document).message())


@router.post("/v1/deposits/{deposit_id}/replace-records")
def replace_records(deposit_id: str, call: Call, broker: BrokerInUse) -> Response:
    """Put newer versions in the place of some records of a deposit; the old ones are gone at once."""
    submission = call.message(RecordReplacementSubmission)
    receipt = root_changes.replace_records(broker, call.caller, named(deposit_id, 32), submission)
    return reply(receipt.message())
