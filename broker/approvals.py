"""What approvers tell the broker themselves: that they refuse, take an approval back, or reviewed an emergency.

Rule (POLICY L09, L11): an approval travels with the request, by the requester's hand; what speaks against a request, or
ends a review that is owed, comes from its signer directly, so that no requester can leave it out. Each statement is
kept and logged in one transaction, and said twice it is answered the same. What it means is the gate's to say.
"""

from dataclasses import dataclass

from broker.audit.log import Receipt
from broker.audit.records import ApproverStated
from broker.context import Broker
from broker.protocol.documents import Signed, verify
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.approvals import ApprovalRefusal, ApprovalWithdrawal, EmergencyReview
from broker.protocol.messages.parties import Approver
from broker.protocol.messages.vocabulary import REVIEWING_CAPACITIES, RecordKind
from broker.registry import Caller, load_space
from broker.store import approvals as rows
from broker.store import ledger, parties
from broker.store import requests as request_rows
from broker.store.database import Connection


@dataclass(frozen=True)
class _Said:
    """A statement on its way to the log: who said it, about what."""

    signed: Signed[ApprovalRefusal] | Signed[ApprovalWithdrawal] | Signed[EmergencyReview]
    request_digest: bytes
    subject_digest: bytes
    kind: str
    recorded_as: RecordKind
    justified: bool | None = None


def refuse(broker: Broker, caller: Caller, document: str) -> Receipt:
    """A person refuses to approve a request: whatever others approve, it is refused from now on.

    Raises NotFound, VerificationFailed, NotPermitted or Conflict (refused before, in other words)."""
    signed = verify(ApprovalRefusal, document, caller.signing_key)
    refusal = signed.payload
    with broker.database.write() as connection:
        person = _approver(connection, caller, refusal.space_id, refusal.approver)
        digest = refusal.request_digest
        said = _Said(signed, digest, digest, rows.REFUSED, RecordKind.APPROVAL_REFUSED)
        return _keep(broker, connection, refusal.space_id, person.party_id, said)


def withdraw(broker: Broker, caller: Caller, document: str) -> Receipt:
    """A person takes an approval back: nothing decided from now on rests on it.

    Raises NotFound, VerificationFailed, NotPermitted or Conflict."""
    signed = verify(ApprovalWithdrawal, document, caller.signing_key)
    withdrawal = signed.payload
    with broker.database.write() as connection:
        person = _approver(connection, caller, withdrawal.space_id, withdrawal.approver)
        said = _Said(
            signed,
            withdrawal.request_digest,
            withdrawal.approval_digest,
            rows.WITHDRAWN,
            RecordKind.APPROVAL_WITHDRAWN,
        )
        return _keep(broker, connection, withdrawal.space_id, person.party_id, said)


def review(broker: Broker, caller: Caller, document: str) -> Receipt:
    """A judge or independent reviewer looked, afterwards, at what went by the emergency route.

    Found justified, the review is owed no more; else the route stays closed to the agency (L11). Raises NotFound,
    VerificationFailed, NotPermitted, BadInput (no review is owed) or Conflict."""
    signed = verify(EmergencyReview, document, caller.signing_key)
    finding = signed.payload
    with broker.database.write() as connection:
        person = _approver(connection, caller, finding.space_id, finding.reviewer)
        if person.capacity not in REVIEWING_CAPACITIES:
            raise NotPermitted("An emergency is reviewed by a judge or an independent reviewer.")
        request = request_rows.of_digest(connection, finding.request_digest)
        if request is None or request.space_id != finding.space_id:
            raise NotFound("No such request is known here.")
        ledger.lock(connection, request.space_id, request.requester)
        if ledger.review_due_at(connection, request.request_id) is None:
            raise BadInput("This request owes no review: it did not go by the emergency route.")
        digest, kind = finding.request_digest, RecordKind.EMERGENCY_REVIEWED
        said = _Said(signed, digest, digest, rows.REVIEWED, kind, finding.justified)
        receipt = _keep(broker, connection, finding.space_id, person.party_id, said)
        if finding.justified:
            ledger.reviewed(connection, request.request_id, receipt.recorded_at)
        else:
            ledger.owe_review(connection, request.request_id, min(finding.reviewed_at, receipt.recorded_at))
        return receipt


def statements(
    connection: Connection, request_digest: bytes
) -> tuple[tuple[str, ...], frozenset[tuple[str, bytes]]]:
    """Who refused a request, and the approvals that were taken back, as (kid of the signer, digest of the approval).

    Each document is verified again. Raises VerificationFailed."""
    refusers: list[str] = []
    withdrawn: set[tuple[str, bytes]] = set()
    for stored in rows.about(connection, request_digest):
        # A person who left the roster since does not unsay what was said.
        key = _enrolled_key(connection, stored.kid)
        if stored.kind == rows.REFUSED:
            refusers.append(verify(ApprovalRefusal, stored.document, key).payload.approver)
        elif stored.kind == rows.WITHDRAWN:
            taken_back = verify(ApprovalWithdrawal, stored.document, key)
            withdrawn.add((taken_back.kid, taken_back.payload.approval_digest))
    return tuple(refusers), frozenset(withdrawn)


def _approver(connection: Connection, caller: Caller, space_id: bytes, party_id: str) -> Approver:
    """The caller's own entry among a space's approvers. Raises NotFound, or NotPermitted for another's name."""
    space = load_space(connection, space_id).payload
    for person in space.approvers:
        if person.signing_key == caller.signing_key and person.party_id == caller.party_id:
            if person.party_id != party_id:
                raise NotPermitted("The statement names another person than the one that signed it.")
            return person
    raise NotFound("No such space is known here.")


def _enrolled_key(connection: Connection, kid: str) -> bytes:
    enrolment = parties.enrolment(connection, kid)
    if enrolment is None:
        raise VerificationFailed("A stored statement is signed by a key that was never enrolled here.")
    return enrolment.signing_key


def _keep(broker: Broker, connection: Connection, space_id: bytes, person: str, said: _Said) -> Receipt:
    """Keep and log a statement, or give the receipt of the same one again. Raises Conflict for other words."""
    known = rows.find(connection, said.subject_digest, said.kind, said.signed.kid)
    if known is not None:
        if known.document != said.signed.document:
            raise Conflict("You said so before, in another document. The first one stands.")
        return broker.audit.receipt(connection, known.log_index)
    record = ApproverStated(
        space_id=space_id,
        request_digest=said.request_digest,
        person=person,
        document_digest=said.signed.digest,
        justified=said.justified,
    )
    receipt = broker.audit.append(connection, said.recorded_as, record, broker.clock())
    rows.add(
        connection,
        rows.StoredStatement(
            subject_digest=said.subject_digest,
            kind=said.kind,
            kid=said.signed.kid,
            request_digest=said.request_digest,
            document=said.signed.document,
            log_index=receipt.proof.index,
        ),
    )
    return receipt
