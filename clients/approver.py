"""A person who approves: reads a request with the findings about it, and signs, refuses, takes back or reviews.

Rule (POLICY L09): what is signed is the digest of exactly the papers that were read. An approval is a file that the
requester files with the request; a refusal, a withdrawal and the review of an emergency go to the broker directly, and
the first two to every key holder that answers, so that nobody depends on the broker's word.

It sees case, law and numbers of identifiers; no identifier, token or hit ever comes here. Whether an approval suffices
is the rules'.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, NarrowgateError, NotFound, NotPermitted
from broker.protocol.messages.approvals import (
    Approval,
    ApprovalRefusal,
    ApprovalWithdrawal,
    EmergencyReview,
    dossier_digest,
)
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.envelopes import DocumentMessage, Nothing
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.messages.parties import Approver, Space
from broker.protocol.messages.requests import Finding, Request
from broker.protocol.messages.vocabulary import REVIEWING_CAPACITIES
from broker.protocol.papers import read_approval, read_finding
from clients.home import Home
from clients.transport import Caller, Clock

DAY_SECONDS = 86_400
MAXIMUM_VALID_DAYS = 90


@dataclass(frozen=True)
class Dossier:
    """What a person reads before signing: the request and the findings about it, verified."""

    request: Signed[Request]
    findings: tuple[Signed[Finding], ...]

    @property
    def digest(self) -> bytes:
        """What an approval is over; 32 bytes."""
        return dossier_digest(self.request.document, [each.document for each in self.findings])


@dataclass(frozen=True)
class Sent:
    """Who took a statement: the broker's receipt, and of the key holders those that did not answer."""

    receipt: ReceiptMessage
    unreached: tuple[str, ...]


class ApprovingPerson:
    """One person of a space's list of approvers.

    Raises NotPermitted on construction if the space does not list this person."""

    def __init__(
        self, home: Home, space: Space, caller: Caller, clock: Clock, random_bytes: RandomBytes
    ) -> None:
        self._home = home
        self._space = space
        self._caller = caller.within(space.space_id)
        self._clock = clock
        self._random_bytes = random_bytes
        self.entry = _entry(home, space)

    def read(self, request: str, findings: Sequence[str]) -> Dossier:
        """Verify the papers under the roster they name. Raises BadInput or VerificationFailed."""
        members = {
            documents.key_identifier(member.signing_key): member.signing_key for member in self._space.members
        }
        signed = documents.verify(Request, request, members)
        asked = signed.payload
        if (asked.space_id, asked.roster_version) != (self._space.space_id, self._space.roster_version):
            raise BadInput("The request belongs to another space, or to another version of its roster.")
        found = tuple(read_finding(self._space, signed, each) for each in findings)
        return Dossier(signed, found)

    def approve(self, dossier: Dossier, valid_days: int = 30) -> Signed[Approval]:
        """Sign an approval of exactly these papers, and keep a copy in `approvals/`.

        Raises BadInput unless valid for 1 to 90 days, NotPermitted in one's own cause."""
        if not 1 <= valid_days <= MAXIMUM_VALID_DAYS:
            raise BadInput(f"An approval is valid for 1 to {MAXIMUM_VALID_DAYS} days.")
        if not dossier.findings:
            raise BadInput("There is no finding with the request. Approve it once the legal desk has looked.")
        now = self._clock()
        approval = Approval(
            approval_id=self._random_bytes(16),
            space_id=self._space.space_id,
            request_digest=dossier.request.digest,
            dossier_digest=dossier.digest,
            approver=self.entry.party_id,
            capacity=self.entry.capacity,
            approved_at=now,
            expires_at=now + valid_days * DAY_SECONDS,
        )
        signed = documents.sign(approval, self._home.signing_key)
        # Read back as broker and holders will, so that nobody carries an approval that does not count.
        read_approval(self._space, dossier.request, dossier.findings, signed.document)
        self._home.vault.write_text(f"approvals/{approval.approval_id.hex()}.jws", signed.document)
        return signed

    def refuse(self, dossier: Dossier, reason: str) -> Sent:
        """Tell broker and key holders that this person refuses. Raises BadInput, Unreachable or RemoteProblem."""
        refusal = ApprovalRefusal(
            space_id=self._space.space_id,
            request_digest=dossier.request.digest,
            approver=self.entry.party_id,
            reason=_stated(reason),
            refused_at=self._clock(),
        )
        document = self._kept("refused", dossier.request.digest, refusal)
        return self._send("/v1/approvals/refusals", document, holders=True)

    def withdraw(self, approval_id: bytes, reason: str) -> Sent:
        """Take an approval of one's own back, at broker and key holders. Raises NotFound, BadInput or as `refuse`."""
        name = f"approvals/{approval_id.hex()}.jws"
        if not self._home.vault.exists(name):
            raise NotFound("This home has no approval of that id.")
        own = documents.verify(Approval, self._home.vault.read_text(name), self._home.identity.signing_key)
        withdrawal = ApprovalWithdrawal(
            space_id=self._space.space_id,
            request_digest=own.payload.request_digest,
            approval_digest=own.digest,
            approver=self.entry.party_id,
            reason=_stated(reason),
            withdrawn_at=self._clock(),
        )
        document = self._kept("withdrawn", approval_id, withdrawal)
        return self._send("/v1/approvals/withdrawals", document, holders=True)

    def review(self, dossier: Dossier, justified: bool, reason: str) -> Sent:
        """Review, afterwards, what went by the emergency route. Raises NotPermitted, BadInput or as `refuse`."""
        if self.entry.capacity not in REVIEWING_CAPACITIES:
            raise NotPermitted("An emergency is reviewed by a judge or an independent reviewer.")
        found = EmergencyReview(
            space_id=self._space.space_id,
            request_digest=dossier.request.digest,
            reviewer=self.entry.party_id,
            justified=justified,
            reason=_stated(reason),
            reviewed_at=self._clock(),
        )
        return self._send("/v1/reviews", self._kept("reviewed", dossier.request.digest, found), holders=False)

    def _kept(
        self, kind: str, subject: bytes, statement: ApprovalRefusal | ApprovalWithdrawal | EmergencyReview
    ) -> str:
        """The signed statement, kept before it is sent; cut short, the same one is sent again."""
        vault = self._home.vault
        name = f"approvals/{kind}-{subject.hex()}.jws"
        if not vault.exists(name):
            vault.write_text(name, documents.sign(statement, self._home.signing_key).document)
        return vault.read_text(name)

    def _send(self, path: str, document: str, *, holders: bool) -> Sent:
        body = DocumentMessage(document=document)
        receipt = self._caller.post(f"{self._space.broker_origin}{path}", body, ReceiptMessage)
        unreached = []
        for holder in self._space.holders if holders else ():
            try:
                self._caller.post(f"{holder.origin}{path}", body, Nothing)
            except NarrowgateError:
                unreached.append(holder.name)
        return Sent(receipt, tuple(unreached))


def _entry(home: Home, space: Space) -> Approver:
    for person in space.approvers:
        if (person.party_id, person.signing_key) == (home.party_id, home.identity.signing_key):
            return person
    raise NotPermitted("The space does not list this person among its approvers. Ask the founder to add it.")


def _stated(reason: str) -> str:
    if not reason.strip():
        raise BadInput("Say why, in a sentence: it is kept with the statement.")
    return reason
