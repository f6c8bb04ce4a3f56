"""People's signed words about a request: approvals, refusals, withdrawals, and the review after an emergency.

Rule (POLICY L09): an approval is over the digest of exactly what its signer saw, the request with the findings about
it; a page that changed since has another digest, so nothing of it is approved. An approval expires, and its signer may
take it back. A refusal goes to the broker, not to the requester, so that it cannot be left out.

Nothing here counts approvals: `broker.gate.facts.People` does, and what they suffice for is the rules'.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from broker.protocol.messages.base import Bytes32, Id16, Message, Seconds, Slug
from broker.protocol.messages.vocabulary import Capacity

Reason = Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class Approval(Message):
    """One person approves one request, with the findings it stands on."""

    TYP: ClassVar[str] = "approval"
    v: Literal[1] = 1
    approval_id: Id16
    space_id: Id16
    request_digest: Bytes32
    dossier_digest: Bytes32
    """`dossier_digest` of the request and findings that the signer was shown."""
    approver: Slug
    capacity: Capacity
    approved_at: Seconds
    expires_at: Seconds


class ApprovalRefusal(Message):
    """One person refuses to approve one request, with reasons: while it stands, the request is refused."""

    TYP: ClassVar[str] = "approval-refusal"
    v: Literal[1] = 1
    space_id: Id16
    request_digest: Bytes32
    approver: Slug
    reason: Reason
    refused_at: Seconds


class ApprovalWithdrawal(Message):
    """One person takes its approval back: nothing that is decided afterwards may rest on it."""

    TYP: ClassVar[str] = "approval-withdrawal"
    v: Literal[1] = 1
    space_id: Id16
    request_digest: Bytes32
    approval_digest: Bytes32
    approver: Slug
    reason: Reason
    withdrawn_at: Seconds


class EmergencyReview(Message):
    """A judge's or independent reviewer's finding, afterwards, on a request that went by the emergency route."""

    TYP: ClassVar[str] = "emergency-review"
    v: Literal[1] = 1
    space_id: Id16
    request_digest: Bytes32
    reviewer: Slug
    justified: bool
    reason: Reason
    reviewed_at: Seconds


def dossier_digest(request: str, findings: Sequence[str]) -> bytes:
    """What an approval is over: the exact bytes of the request and of the findings about it, in any order; 32 bytes."""
    digest = hashlib.sha256(b"narrowgate/v1/dossier\x00")
    for document in (request, *sorted(findings)):
        data = document.encode("ascii")
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.digest()
