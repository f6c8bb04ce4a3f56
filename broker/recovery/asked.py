"""Requests, permits and the ledger against the log: how far each came, its one use, its answer, and its charge.

Rule (POLICY L10, AUDIT 3): a request's state is that of its latest entry; what it used of budgets is derived again from
its entries: identifiers from ADMITTED, matches and privacy loss from RELEASE. A ledger that says less would let a
requester ask more than the rules allow. The moment of a charge is compared only as far as the entry's own time.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from broker.audit.records import (
    ApproverStated,
    ReleaseAsked,
    RequestRefused,
    TokensReceived,
)
from broker.gate.decision import Decision
from broker.gate.facts import AdmitFacts, ReleaseFacts
from broker.gate.instruments import EMERGENCY_GATEWAY
from broker.gate.ruling import Ruling
from broker.protocol.documents import unverified_payload
from broker.protocol.errors import BadInput, NarrowgateError
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.base import decode
from broker.protocol.messages.closings import Failed, Released
from broker.protocol.messages.requests import (
    AdmissionRecord,
    ReleaseDecided,
    Request,
    RequestSubmission,
    TokensAnswered,
)
from broker.protocol.messages.vocabulary import RecordKind, Tier
from broker.recovery.findings import Finding, entry, named
from broker.recovery.logged import Entry
from broker.store import requests as states
from broker.store import whole
from broker.store.database import Connection

_KIND_OF_STATE = {
    states.ADMITTED: RecordKind.ADMITTED,
    states.TOKENS: RecordKind.TOKENS,
    states.RELEASING: RecordKind.RELEASE,
    states.RELEASED: RecordKind.RELEASED,
    states.FAILED: RecordKind.FAILED,
    states.REFUSED: RecordKind.REFUSED,
}


def rows_of(connection: Connection, logged: Entry) -> Iterator[Finding]:
    """Whether the rows of a request say what an entry about it says."""
    record, where = logged.record, entry(logged.index, logged.kind.value)
    if isinstance(record, AdmissionRecord):
        yield from _admitted(connection, logged, record)
    elif isinstance(record, RequestRefused):
        request = _one(connection, "requests", request_id=record.request_id)
        if request is None or request["log_index"] != logged.index:
            yield Finding(where, "table requests has no row that it explains.")
        elif (request["space_id"], request["requester"], request["request_digest"]) != (
            record.space_id,
            record.requester,
            record.request_digest,
        ):
            yield Finding(named("requests", request), f"is about another request than {where}.")
    elif isinstance(record, TokensReceived | ReleaseDecided | Released | Failed):
        yield from _moved_on(connection, logged, record)
    elif isinstance(record, ApproverStated) and logged.kind is RecordKind.EMERGENCY_REVIEWED:
        yield from _reviewed(connection, logged, record)
    elif isinstance(record, ReleaseAsked) and not whole.some(
        connection, "release_asks", permit_id=record.permit_id, series_id=record.series_id
    ):
        yield Finding(where, "table release_asks has no row that it explains.")


def entries_of(connection: Connection) -> Iterator[Finding]:
    """Whether every request is where its latest entry says, and every permit and charge has its request."""
    for request in whole.rows(connection, "requests"):
        where, kind = named("requests", request), _KIND_OF_STATE.get(request["state"])
        stored = whole.entry_at(connection, request["log_index"])
        told = None if stored is None else _kind(stored["leaf"])
        if kind is None or told != kind.value:
            yield Finding(
                where, "its state is not that of the entry it names: no entry explains how far it came."
            )
        refused = request["state"] == states.REFUSED
        permits = whole.number(connection, "permits", request_id=request["request_id"])
        charges = whole.number(connection, "ledger", request_id=request["request_id"])
        if permits != (0 if refused else 1):
            yield Finding(where, f"is {request['state']} and has {permits} permits.")
        if charges != (0 if refused else 1):
            yield Finding(where, f"is {request['state']} and was charged {charges} times in the ledger.")
    for table in ("permits", "ledger"):
        for request_id in whole.strays(connection, table, "request_id", "requests"):
            yield Finding(
                named(table, {"request_id": request_id}), "there is no such request: no entry explains it."
            )
    for table in ("matches", "release_asks", "released_records", "told_records"):
        for permit_id in whole.strays(connection, table, "permit_id", "permits"):
            yield Finding(
                named(table, {"permit_id": permit_id}), "there is no such permit: no entry explains it."
            )


def _admitted(connection: Connection, logged: Entry, record: AdmissionRecord) -> Iterator[Finding]:
    where, terms = entry(logged.index, logged.kind.value), record.terms
    permit = _one(connection, "permits", permit_id=terms.permit_id)
    request = None if permit is None else _one(connection, "requests", request_id=permit["request_id"])
    if permit is None or request is None:
        yield Finding(where, "table permits has no row that it explains.")
        return
    if permit["expires_at"] != terms.expires_at:
        yield Finding(named("permits", permit), f"expires_at differs from what {where} says.")
    compared = ("space_id", "requester", "request_digest")
    wrong = [name for name in compared if request[name] != getattr(terms, name)]
    if request["log_index"] < logged.index:
        wrong.append("log_index")
    if wrong:
        yield Finding(named("requests", request), f"{', '.join(wrong)} differ from what {where} says.")
    charge = _one(connection, "ledger", request_id=permit["request_id"])
    if charge is None:
        return  # told of with its request
    try:
        submission = decode(RequestSubmission, request["submission"])
        selects = bool(unverified_payload(Request, submission.request).selected)
    except BadInput:
        yield Finding(named("requests", request), "its submission is not in the form it was kept in.")
        return
    identifiers = 0 if selects else sum(batch.identifiers for batch in terms.batches)
    expected = {"space_id": terms.space_id, "requester": terms.requester, "identifiers": identifiers}
    wrong = [name for name, value in expected.items() if charge[name] != value]
    if charge["charged_at"] != terms.not_before_at:
        wrong.append("charged_at")
    if request["state"] in (states.ADMITTED, states.TOKENS):
        wrong += _reserved(record, charge)
    if wrong:
        yield Finding(
            named("ledger", charge), f"{', '.join(wrong)} differ from what {where} charges to the budget."
        )


def _reserved(record: AdmissionRecord, charge: whole.Row) -> list[str]:
    """What is wrong with a charge of a request that nothing was decided about yet."""
    try:
        facts = decode(Decision, record.decision.encode()).facts
    except BadInput:
        return []  # found where decisions are compared
    cost = facts.derived.count_cost_millis if isinstance(facts, AdmitFacts) else 0
    expected = {"hits": 0, "epsilon_millis": cost if record.terms.tier is Tier.COUNT else 0}
    return [name for name, value in expected.items() if charge[name] != value]


def _reviewed(connection: Connection, logged: Entry, record: ApproverStated) -> Iterator[Finding]:
    request = _one(connection, "requests", request_digest=record.request_digest)
    charge = None if request is None else _one(connection, "ledger", request_id=request["request_id"])
    where = entry(logged.index, logged.kind.value)
    if charge is None:
        yield Finding(where, "table ledger has no row of the request that was reviewed.")
    elif record.justified and charge["reviewed_at"] != logged.recorded_at:
        yield Finding(named("ledger", charge), f"reviewed_at differs from what {where} says.")
    elif not record.justified and (charge["review_due_at"] or logged.recorded_at + 1) > logged.recorded_at:
        yield Finding(named("ledger", charge), f"owes no review any more, and {where} says that it does.")


def _moved_on(
    connection: Connection, logged: Entry, record: TokensReceived | ReleaseDecided | Released | Failed
) -> Iterator[Finding]:
    where = entry(logged.index, logged.kind.value)
    request = _one(connection, "requests", request_id=record.request_id)
    permit = _one(connection, "permits", permit_id=record.permit_id)
    if request is None or permit is None or permit["request_id"] != record.request_id:
        yield Finding(where, "tables requests and permits have no rows that it explains.")
        return
    if isinstance(record, Released | Failed):
        if request["log_index"] != logged.index:
            yield Finding(named("requests", request), f"should have ended with {where}.")
        if isinstance(record, Released):
            yield from _told(permit, record, where)
        return
    if request["log_index"] < logged.index:
        yield Finding(named("requests", request), f"log_index is before {where}, which is about it.")
    if permit["token_root"] != record.token_root:
        yield Finding(named("permits", permit), f"token_root differs from what {where} says.")
    if isinstance(record, ReleaseDecided):
        yield from _settled(connection, request, record, where)


def _told(permit: whole.Row, record: Released, where: str) -> Iterator[Finding]:
    try:
        answer = decode(TokensAnswered, permit["disclosure"] or b"")
        digest = hashlib.sha256((answer.document or "").encode()).digest()
    except BadInput:
        digest = b""
    if digest != record.disclosure_digest:
        yield Finding(named("permits", permit), f"disclosure is not the answer that {where} says was signed.")


def _settled(
    connection: Connection, request: whole.Row, record: ReleaseDecided, where: str
) -> Iterator[Finding]:
    charge = _one(connection, "ledger", request_id=record.request_id)
    if charge is None:
        return
    try:
        ruling = Ruling.read(record.decision, record.earlier_decision)
        submission = decode(RequestSubmission, request["submission"])
        selects = bool(unverified_payload(Request, submission.request).selected)
    except NarrowgateError:
        yield Finding(where, "its decision, or the request's submission, is not in the form it was kept in.")
        return
    facts = ruling.decision.facts
    if not isinstance(facts, ReleaseFacts):
        yield Finding(where, "its decision is none about a release.")
        return
    counted = ruling.allowed and ruling.tier is Tier.COUNT
    expected = {
        "hits": 0 if selects else facts.result.hits,
        "epsilon_millis": facts.admitted.derived.count_cost_millis if counted else 0,
    }
    wrong = [name for name, value in expected.items() if charge[name] != value]
    owes = request["state"] == states.RELEASED and ruling.allowed and ruling.rests_on(EMERGENCY_GATEWAY)
    if owes and charge["review_due_at"] is None:
        wrong.append("review_due_at")
    if wrong:
        yield Finding(
            named("ledger", charge), f"{', '.join(wrong)} differ from what {where} charges to the budget."
        )


def _kind(leaf: bytes) -> str | None:
    try:
        return parse_leaf(leaf).kind
    except NarrowgateError:
        return None


def _one(connection: Connection, table: str, **where: Any) -> whole.Row | None:
    found = whole.some(connection, table, **where)
    return found[0] if found else None
