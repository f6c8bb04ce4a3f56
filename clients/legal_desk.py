"""The legal desk: what a reviewing lawyer confirms about one request, signed over the digest of that very request.

Rule: a `Finding` is the only source of verified facts (DESIGN 1, POLICY 1), so the desk takes the request from the
requester as a file, verifies it under the pinned roster, and signs what the lawyer found, not what was claimed. It
sees case, law and numbers of identifiers; no identifier, token or hit ever comes here.

It decides nothing: whether the facts suffice is the gate's.
"""

from typing import Annotated

from pydantic import Field

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, NotPermitted
from broker.protocol.messages.base import Message, RandomBytes
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Finding, LegalBasis, Request
from broker.protocol.messages.vocabulary import Offence, Purpose, Subject, Urgency
from clients.home import Home
from clients.transport import Clock

DAY_SECONDS = 86_400
MAXIMUM_VALID_DAYS = 90


class FindingAnswers(Message):
    """What a lawyer answers about one request: the facts of a `Finding`, without its names and dates."""

    basis: LegalBasis
    basis_authentic: bool
    """The instrument was seen, and comes from the authority it names."""
    offence: Offence
    maximum_penalty_months: Annotated[int, Field(ge=0, le=1200)]
    purpose: Purpose
    subjects: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=7)]
    dual_criminality: bool
    """The conduct is a crime where the data is held, too."""
    threat_to_life: bool
    necessity_shown: bool
    less_intrusive_means_considered: bool


class LegalDesk:
    """One legal desk of a space.

    Args:
        home: its folder; its key must be one the space names among its legal desks.
        space: the pinned space document.

    Raises NotPermitted on construction if the space names no such desk.
    """

    def __init__(self, home: Home, space: Space, clock: Clock, random_bytes: RandomBytes) -> None:
        self._home = home
        self._space = space
        self._clock = clock
        self._random_bytes = random_bytes
        desks = [(desk.party_id, desk.signing_key) for desk in space.legal_desks]
        if (home.party_id, home.identity.signing_key) not in desks:
            raise NotPermitted("This party is not a legal desk of the space. Ask the founder to add it.")

    def read(self, request_document: str) -> Signed[Request]:
        """Verify a request under the roster it names.

        Raises BadInput (another space or roster), or VerificationFailed (not signed by the member it names).
        """
        members = {
            documents.key_identifier(member.signing_key): member.signing_key for member in self._space.members
        }
        signed = documents.verify(Request, request_document, members)
        request = signed.payload
        if request.space_id != self._space.space_id:
            raise BadInput("The request belongs to another space. Name that space with --space-id.")
        if request.roster_version != self._space.roster_version:
            raise BadInput(
                "The request was made under another version of the roster. Pin the newest space document, and ask "
                "the requester to prepare the request under it."
            )
        signer = next(
            member
            for member in self._space.members
            if documents.key_identifier(member.signing_key) == signed.kid
        )
        if signer.agency_id != request.requester:
            raise NotPermitted("The request names another member than the one that signed it.")
        return signed

    def template(self, request: Request) -> FindingAnswers:
        """The answers as the request claims them, for a lawyer to check one by one against the papers."""
        claims = request.claims
        return FindingAnswers(
            basis=claims.basis,
            basis_authentic=True,
            offence=claims.offence,
            maximum_penalty_months=claims.maximum_penalty_months,
            purpose=claims.purpose,
            subjects=claims.subjects,
            dual_criminality=True,
            threat_to_life=claims.urgency is Urgency.EMERGENCY,
            necessity_shown=bool(claims.necessity.strip()),
            less_intrusive_means_considered=bool(claims.less_intrusive_means.strip()),
        )

    def find(self, request_document: str, answers: FindingAnswers, valid_days: int = 30) -> Signed[Finding]:
        """Sign what was found about the request, and keep a copy in `findings/`.

        Raises as `read`, and BadInput unless the finding is to be valid for 1 to 90 days.
        """
        if not 1 <= valid_days <= MAXIMUM_VALID_DAYS:
            raise BadInput(f"A finding is valid for 1 to {MAXIMUM_VALID_DAYS} days.")
        signed = self.read(request_document)
        now = self._clock()
        finding = Finding(
            finding_id=self._random_bytes(16),
            space_id=self._space.space_id,
            request_digest=signed.digest,
            desk=self._home.party_id,
            found_at=now,
            expires_at=now + valid_days * DAY_SECONDS,
            **{name: getattr(answers, name) for name in FindingAnswers.model_fields},
        )
        found = documents.sign(finding, self._home.signing_key)
        self._home.vault.write_text(f"findings/{finding.finding_id.hex()}.jws", found.document)
        return found
