"""Every stored document under its signer's key again, and the columns that repeat what it says.

Rule (docs/data-model.md): documents are verified whenever they are read, so a false one does no harm but to stop its
row; here all are read at once. A party's key is that of its accepted enrolment, a holder's that of the roster, the
broker's its own. It compares no document with the log: see `broker.recovery.explained`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from broker.protocol.documents import (
    Signed,
    key_identifier,
    unverified_kid,
    unverified_payload,
    verify,
)
from broker.protocol.errors import BadInput, NarrowgateError, VerificationFailed
from broker.protocol.messages.approvals import ApprovalRefusal, ApprovalWithdrawal, EmergencyReview
from broker.protocol.messages.base import Message, decode
from broker.protocol.messages.deposits import DepositDeclaration, DepositWithdrawal
from broker.protocol.messages.ladder import ContributorRelease
from broker.protocol.messages.outcomes import OutcomeReport
from broker.protocol.messages.parties import Enrolment, SaltWrap, Space
from broker.protocol.messages.requests import (
    Admission,
    Disclosure,
    Permit,
    Request,
    RequestSubmission,
    TokensAnswered,
)
from broker.protocol.messages.roots import RecordReplacement, RecordWithdrawal
from broker.protocol.messages.series import (
    Acceptance,
    DestructionReceipt,
    SeriesClosing,
    SeriesManifest,
    Withdrawal,
    key_digest,
)
from broker.recovery.findings import Finding, named
from broker.registry import load_space
from broker.store import approvals, whole
from broker.store import requests as states
from broker.store.database import Connection

_STATEMENTS: dict[str, type[ApprovalRefusal] | type[ApprovalWithdrawal] | type[EmergencyReview]] = {
    approvals.REFUSED: ApprovalRefusal,
    approvals.WITHDRAWN: ApprovalWithdrawal,
    approvals.REVIEWED: EmergencyReview,
}
_Check = Callable[[Connection, whole.Row, bytes], None]


def check(
    connection: Connection, broker_key: bytes, progress: Callable[[str, int, int], None]
) -> Iterator[Finding]:
    """Every document of every table; `broker_key` is the broker's raw public key, of permits and disclosures."""
    for done, (table, look) in enumerate(_CHECKS.items()):
        progress("tables with documents", done, len(_CHECKS))
        for row in whole.rows(connection, table):
            try:
                look(connection, row, broker_key)
            except NarrowgateError as error:
                yield Finding(named(table, row), error.detail)


def _enrolment(_connection: Connection, row: whole.Row, _key: bytes) -> None:
    claimed = unverified_payload(Enrolment, row["document"])
    said = verify(Enrolment, row["document"], claimed.signing_key)
    _agree(said.payload, row, "party_id", "role", "signing_key")
    _require(said.kid == row["kid"], "The enrolment is of another key than its row.")


def _space(connection: Connection, row: whole.Row, _key: bytes) -> None:
    space = load_space(connection, row["space_id"], row["roster_version"]).payload
    _agree(space, row, "space_id", "roster_version")


def _salt_wrap(connection: Connection, row: whole.Row, _key: bytes) -> None:
    wrap = verify(SaltWrap, row["document"], _key_of_kid(connection, unverified_kid(row["document"])))
    _agree(wrap.payload, row, "space_id", "salt_id", "recipient_kid")


def _series(connection: Connection, row: whole.Row, _key: bytes) -> None:
    key = _key_of(connection, row["contributor"])
    signed = verify(SeriesManifest, row["manifest"], key)
    manifest = signed.payload
    _agree(manifest, row, "space_id", "contributor", "identifier_type")
    _require(signed.payload_digest == row["series_id"], "The manifest has another name than its row.")
    _require(manifest.conditions.retain_until == row["retain_until"], "retain_until is not the manifest's.")
    match, opening = manifest.commitments_match, manifest.commitments_open
    digest = key_digest(row["series_id"], manifest.threshold, len(manifest.holders), match, opening)
    _require(digest == row["key_digest"], "key_digest is not that of the manifest's keys.")
    firsts = {each["commitment"] for each in _of_series(connection, "first_commitments", row)}
    _require(firsts == {match[0], opening[0]}, "table first_commitments has not just the manifest's two.")
    space = load_space(connection, row["space_id"], manifest.roster_version).payload
    accepted = len(_of_series(connection, "acceptances", row))
    enough = accepted >= min(space.threshold + 1, len(space.holders))
    _require(enough, "table acceptances has too few holders' words for it.")
    if row["closing"] is not None:
        _agree(verify(SeriesClosing, row["closing"], key).payload, row, "series_id")
    if row["withdrawal"] is not None:
        _agree(verify(Withdrawal, row["withdrawal"], key).payload, row, "series_id")


def _acceptance(connection: Connection, row: whole.Row, _key: bytes) -> None:
    acceptance = verify(Acceptance, row["document"], _holder_keys(connection, row)).payload
    _agree(acceptance, row, "series_id", "holder_id")
    _require(
        acceptance.key_digest == _series_of(connection, row)["key_digest"],
        "It accepts other keys than these.",
    )


def _destruction(connection: Connection, row: whole.Row, _key: bytes) -> None:
    receipt = verify(DestructionReceipt, row["document"], _holder_keys(connection, row)).payload
    _agree(receipt, row, "series_id", "holder_id")


def _deposit(connection: Connection, row: whole.Row, _key: bytes) -> None:
    key = _key_of(connection, row["contributor"])
    declared = verify(DepositDeclaration, row["declaration"], key).payload
    _agree(declared, row, "deposit_id", "series_id", "space_id", "contributor", "size_class")
    _require(declared.records == row["records_declared"], "records_declared is not the declaration's.")
    if row["withdrawal"] is not None:
        _agree(verify(DepositWithdrawal, row["withdrawal"], key).payload, row, "deposit_id")


def _root_change(connection: Connection, row: whole.Row, _key: bytes) -> None:
    (deposit,) = whole.some(connection, "deposits", deposit_number=row["deposit_number"])
    key = _key_of(connection, deposit["contributor"])
    said: RecordWithdrawal | RecordReplacement
    try:
        said = verify(RecordWithdrawal, row["document"], key).payload
    except BadInput:
        said = verify(RecordReplacement, row["document"], key).payload
    _agree(said, row, "number")
    _agree(said, deposit, "deposit_id")


def _request(connection: Connection, row: whole.Row, key: bytes) -> None:
    submission = decode(RequestSubmission, row["submission"])
    signed = verify(Request, submission.request, _key_of(connection, row["requester"]))
    _agree(signed.payload, row, "request_id", "space_id", "requester", "tier")
    _require(signed.digest == row["request_digest"], "request_digest is not that of the request.")
    if row["state"] != states.REFUSED:
        verify(Permit, decode(Admission, row["answer"]).permit, key)


def _permit(connection: Connection, row: whole.Row, key: bytes) -> None:
    permit = verify(Permit, row["document"], key).payload
    _agree(permit.terms, row, "permit_id", "expires_at")
    requests = whole.some(connection, "requests", request_id=row["request_id"])
    _require(
        bool(requests) and requests[0]["request_digest"] == permit.terms.request_digest,
        "The permit is of another request than its row.",
    )
    if row["disclosure"] is not None and requests[0]["state"] == states.RELEASED:
        told = verify(Disclosure, decode(TokensAnswered, row["disclosure"]).document or "", key).payload
        _agree(told, row, "permit_id")


def _statement(connection: Connection, row: whole.Row, _key: bytes) -> None:
    kind = _STATEMENTS.get(row["kind"])
    if kind is None:
        raise VerificationFailed("It is of a kind that the broker does not know.")
    said: Signed[Any] = verify(kind, row["document"], _key_of_kid(connection, row["kid"]))
    _agree(said.payload, row, "request_digest")


def _release(connection: Connection, row: whole.Row, _key: bytes) -> None:
    if row["answer"] is not None:
        said = verify(ContributorRelease, row["answer"], _key_of(connection, row["contributor"])).payload
        _agree(said, row, "permit_id", "series_id")


def _report(connection: Connection, row: whole.Row, _key: bytes) -> None:
    (request,) = whole.some(connection, "requests", request_id=row["request_id"])
    report = verify(OutcomeReport, row["document"], _key_of(connection, request["requester"])).payload
    _agree(report, row, "request_id", "number")


_CHECKS: dict[str, _Check] = {
    "enrolments": _enrolment,
    "spaces": _space,
    "salt_wraps": _salt_wrap,
    "series": _series,
    "acceptances": _acceptance,
    "destruction_receipts": _destruction,
    "deposits": _deposit,
    "root_changes": _root_change,
    "requests": _request,
    "permits": _permit,
    "approver_statements": _statement,
    "release_asks": _release,
    "outcome_reports": _report,
}


def _agree(said: Message, row: whole.Row, *names: str) -> None:
    """Raises VerificationFailed unless the columns repeat what the document says."""
    wrong = [
        name for name in names if getattr(getattr(said, name), "value", getattr(said, name)) != row[name]
    ]
    if wrong:
        raise VerificationFailed(f"{', '.join(wrong)} differ from what the signed document says.")


def _require(fits: bool, otherwise: str) -> None:
    if not fits:
        raise VerificationFailed(otherwise)


def _key_of(connection: Connection, party_id: str) -> bytes:
    found = whole.some(connection, "enrolments", party_id=party_id, state="accepted")
    if len(found) != 1:
        raise VerificationFailed("Its signer is not enrolled here, or is twice.")
    return bytes(found[0]["signing_key"])


def _key_of_kid(connection: Connection, kid: str) -> bytes:
    found = whole.some(connection, "enrolments", kid=kid)
    if not found:
        raise VerificationFailed("Its signer's key was never enrolled here.")
    return bytes(found[0]["signing_key"])


def _of_series(connection: Connection, table: str, row: whole.Row) -> list[whole.Row]:
    return list(whole.some(connection, table, series_id=row["series_id"]))


def _series_of(connection: Connection, row: whole.Row) -> whole.Row:
    found = whole.some(connection, "series", series_id=row["series_id"])
    if not found:
        raise VerificationFailed("There is no such series.")
    return found[0]


def _holder_keys(connection: Connection, row: whole.Row) -> Mapping[str, bytes]:
    series = _series_of(connection, row)
    manifest = unverified_payload(SeriesManifest, series["manifest"])
    space: Space = load_space(connection, series["space_id"], manifest.roster_version).payload
    return {key_identifier(each.signing_key): each.signing_key for each in space.holders}
