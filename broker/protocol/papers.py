"""The papers of a request, verified: findings, approvals, and the step of the ladder that it goes on from.

Rule (DESIGN 1, POLICY 1 and L05): a finding counts when a legal desk of the space signed it over exactly this request;
an approval when a person of the space's list signed it over the request and the very findings it came with, in the
capacity the list gives, and not in the signer's own cause; an earlier step when broker and requester signed that these
matches were disclosed, and that an officer confirmed the ones selected. Broker, key holders and clients read them here,
so that all read them alike. Whether they suffice is the gate's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from broker.protocol.documents import Signed, key_identifier, verify
from broker.protocol.errors import BadInput, NotPermitted, VerificationFailed
from broker.protocol.messages.approvals import Approval, dossier_digest
from broker.protocol.messages.ladder import MatchConfirmation, Selection
from broker.protocol.messages.parties import Approver, Space
from broker.protocol.messages.requests import Disclosure, Finding, Request
from broker.protocol.messages.vocabulary import Capacity, Tier


@dataclass(frozen=True)
class Approved:
    """Evidence that a person of the space's list approved exactly this request and these findings."""

    signed: Signed[Approval]
    approver: Approver


@dataclass(frozen=True)
class EarlierStep:
    """Evidence that `disclosure` answered the request that this one names, and that its matches were confirmed.

    `request` is the earlier one; `confirmation` covers all that was selected."""

    request: Signed[Request]
    disclosure: Signed[Disclosure]
    confirmation: Signed[MatchConfirmation]

    @property
    def tier(self) -> Tier:
        """What was told."""
        return self.disclosure.payload.tier


def read_finding(space: Space, request: Signed[Request], document: str) -> Signed[Finding]:
    """A legal desk's finding on exactly this request. Raises VerificationFailed."""
    desks = {key_identifier(desk.signing_key): desk for desk in space.legal_desks}
    signed = verify(Finding, document, {kid: desk.signing_key for kid, desk in desks.items()})
    finding = signed.payload
    if finding.desk != desks[signed.kid].party_id:
        raise VerificationFailed("A finding names another legal desk than the one that signed it.")
    if finding.space_id != space.space_id or finding.request_digest != request.digest:
        raise VerificationFailed("A finding is about another request than the one it came with.")
    return signed


def read_approval(
    space: Space, request: Signed[Request], findings: Sequence[Signed[Finding]], document: str
) -> Approved:
    """A person's approval of exactly this request with these findings.

    Raises VerificationFailed, or NotPermitted when the signer may not approve this requester's requests."""
    people = {key_identifier(person.signing_key): person for person in space.approvers}
    signed = verify(Approval, document, {kid: person.signing_key for kid, person in people.items()})
    approval, person, asked = signed.payload, people[signed.kid], request.payload
    if (approval.approver, approval.capacity) != (person.party_id, person.capacity):
        raise VerificationFailed("An approval names another person or capacity than the one that signed it.")
    if approval.space_id != space.space_id or approval.request_digest != request.digest:
        raise VerificationFailed("An approval is about another request than the one it came with.")
    if approval.dossier_digest != dossier_digest(request.document, [each.document for each in findings]):
        raise VerificationFailed(
            "An approval is over other papers than these: a finding was added, changed or left out since. Show the "
            "approver the papers as they are now."
        )
    # Nobody approves in their own cause (DESIGN 1): neither the officer, nor a desk that found the facts.
    own_cause = {asked.claims.officer, asked.requester, *(finding.payload.desk for finding in findings)}
    if person.party_id in own_cause:
        raise NotPermitted(
            "The officer or the legal desk of a request may not approve it. Ask another person."
        )
    if person.capacity is Capacity.SUPERVISOR and person.agency_id != asked.requester:
        raise NotPermitted("A supervisor approves the requests of its own agency only.")
    return Approved(signed, person)


def read_earlier_step(
    space: Space, request: Signed[Request], earlier: str, disclosure: str, confirmation: str
) -> EarlierStep:
    """The step that `request` goes on from, from its documents.

    Raises VerificationFailed, or BadInput when the request selects what was not there or not confirmed."""
    members = {member.agency_id: member.signing_key for member in space.members}
    own_key = members.get(request.payload.requester)
    if own_key is None:
        raise VerificationFailed("The requester is no member of the space.")
    before = verify(Request, earlier, own_key)
    told = verify(Disclosure, disclosure, space.broker_signing_key)
    confirmed = verify(MatchConfirmation, confirmation, own_key)
    asked, first, answer = request.payload, before.payload, told.payload
    if (first.request_id, first.space_id, first.requester) != (
        asked.earlier_request,
        asked.space_id,
        asked.requester,
    ):
        raise VerificationFailed("The earlier request is not the one that this one names.")
    if (answer.request_id, answer.requester, answer.asked_tier) != (
        first.request_id,
        first.requester,
        first.tier,
    ) or not answer.matched:
        raise VerificationFailed("The earlier request was not answered with a match.")
    if first.claims.case_reference != asked.claims.case_reference:
        raise BadInput("A higher tier goes on in the same case. Name the case of the earlier request.")
    looked = confirmed.payload
    if (looked.request_id, looked.disclosure_digest) != (first.request_id, told.digest):
        raise VerificationFailed("The confirmation is of other matches than the earlier request's.")
    if looked.confirmed_at < answer.released_at:
        raise VerificationFailed("The matches were confirmed before they were disclosed.")
    check_selected(asked.selected, first, looked.confirmed)
    return EarlierStep(before, told, confirmed)


def check_own_cause(approvals: Sequence[Approved], step: EarlierStep) -> EarlierStep:
    """Returns the step, once nobody approves who confirmed its matches. Raises NotPermitted."""
    officer = step.confirmation.payload.officer
    if officer in {each.approver.party_id for each in approvals}:
        raise NotPermitted(
            "Who confirmed the matches may not approve the request about them. Ask another person."
        )
    return step


def check_selected(
    selected: Sequence[Selection], earlier: Request, confirmed: Sequence[Selection]
) -> Sequence[Selection]:
    """Returns what was selected, once it lies within the earlier batches and was confirmed. Raises BadInput."""
    sizes = {batch.identifier_type: batch.points for batch in earlier.batches}
    looked_at = {each.identifier_type: set(each.indices) for each in confirmed}
    if not selected:
        raise BadInput("A request for a higher tier selects from the earlier one, by its indices.")
    for each in selected:
        if each.indices[-1] >= sizes.get(each.identifier_type, 0):
            raise BadInput("The request selects what the earlier one did not ask about.")
        if not looked_at.get(each.identifier_type, set()).issuperset(each.indices):
            raise BadInput(
                "The request selects a match that nobody confirmed. Look at it, then use: narrowgate request confirm"
            )
    return selected
