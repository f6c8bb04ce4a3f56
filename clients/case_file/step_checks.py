"""What can be checked of one step of a case, and between one step and the next, from its papers alone.

Rule: the very checks that the requester made before it believed broker, holders and contributors are made again, under
keys from the space document (`clients.requester_checks.permits`, `clients.requester_checks.opened`,
`broker.protocol.papers`). Each returns what it verified, or raises.

One thing the requester could check and nobody after it can: that the disclosure of a first request answers the tokens
that were sent. They stand for identifiers that hit nothing, too, so they are not in the folder (decision 0012).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broker.protocol import documents, quorum
from broker.protocol.documents import Signed
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.evaluation import EvaluationStatement
from broker.protocol.messages.ladder import ContributorRelease, MatchConfirmation
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Disclosure, Finding, PermitTerms, Request
from broker.protocol.messages.series import SeriesSheet
from broker.protocol.messages.vocabulary import AgencyKind, Outcome
from broker.protocol.papers import Approved, check_selected, read_approval, read_earlier_step, read_finding
from clients.case_file.papers import CaseManifest, StepPapers
from clients.requester_checks.disclosures import VerifiedDisclosure, verify_disclosure, verify_told
from clients.requester_checks.opened import VerifiedOpening, verify_opening
from clients.requester_checks.permits import (
    VerifiedAdmission,
    verify_admission,
)

_ASKED_BEFORE_PAYLOAD = (AgencyKind.HELPLINE, AgencyKind.NGO)


@dataclass(frozen=True)
class CheckedRequest:
    """A step with its request verified, and the space document that the request names."""

    papers: StepPapers
    space: Space
    request: Signed[Request]


@dataclass(frozen=True)
class CheckedAnswer:
    """What was permitted and told under a request."""

    asked: CheckedRequest
    admission: VerifiedAdmission
    verified: VerifiedDisclosure

    @property
    def disclosure(self) -> Signed[Disclosure]:
        """What the broker signed."""
        return self.verified.signed


def check_requests(
    manifest: CaseManifest, steps: Sequence[StepPapers], spaces: Mapping[int, Space]
) -> tuple[CheckedRequest, ...]:
    """Each request is the manifest's requester's, of its case, and goes on from the one before."""
    checked = []
    for papers in steps:
        version = documents.unverified_payload(Request, papers.request).roster_version
        if version not in spaces:
            raise VerificationFailed("A request names a space document that is not in the folder.")
        space = spaces[version]
        signed = documents.verify(Request, papers.request, requester_key(space, manifest.requester))
        asked = signed.payload
        if (asked.requester, asked.space_id) != (manifest.requester, space.space_id):
            raise VerificationFailed("A request names another requester or space than the manifest.")
        if asked.claims.case_reference != manifest.case_reference or asked.tier is not papers.tier:
            raise VerificationFailed("A request is of another case or tier than the folder says.")
        checked.append(CheckedRequest(papers, space, signed))
    if tuple(each.request.payload.request_id for each in checked) != manifest.requests:
        raise VerificationFailed("The requests are not those that the manifest names.")
    if spaces.keys() != {each.space.roster_version for each in checked}:
        raise VerificationFailed("The folder has a space document that no request names.")
    if any(bool(each.request.payload.selected) != (place > 0) for place, each in enumerate(checked)):
        raise VerificationFailed("A request does not go on from the one before, or the first is missing.")
    return tuple(checked)


def requester_key(space: Space, requester: str) -> bytes:
    """The key of a member. Raises VerificationFailed."""
    for member in space.members:
        if member.agency_id == requester:
            return member.signing_key
    raise VerificationFailed("The requester is no member of the space.")


def check_findings(step: CheckedRequest) -> tuple[Signed[Finding], ...]:
    """The legal desks' findings are over exactly this request."""
    return tuple(read_finding(step.space, step.request, each) for each in step.papers.findings)


def check_approvals(step: CheckedRequest, findings: Sequence[Signed[Finding]]) -> tuple[Approved, ...]:
    """People of the space's list approved exactly this request with exactly these findings, each once."""
    approved = tuple(
        read_approval(step.space, step.request, findings, each) for each in step.papers.approvals
    )
    if len({each.approver.party_id for each in approved}) != len(approved):
        raise VerificationFailed("One person's approval is there twice.")
    return approved


def check_permit(step: CheckedRequest) -> VerifiedAdmission:
    """The broker's permit is for this request, stands in the log, and enough holders accepted its series' keys."""
    return verify_admission(step.papers.admission, step.request, step.space)


def check_disclosure(step: CheckedRequest, admission: VerifiedAdmission) -> CheckedAnswer:
    """What was told belongs to this permit, and the log records exactly that after the decision to tell it."""
    document, recorded, submission = step.papers.disclosure, step.papers.released, step.papers.submission
    if bool(step.request.payload.selected) != (submission is not None):
        raise VerificationFailed("The tokens of a request that selects are missing, or others' are there.")
    if submission is None:
        verified = verify_told(document, recorded, admission, step.request, step.space)
    else:
        verified = verify_disclosure(document, recorded, admission, step.request, submission, step.space)
    if verified.told.outcome is not Outcome.ALLOW:
        raise VerificationFailed("The decision was to tell nothing, and the folder shows an answer.")
    return CheckedAnswer(step, admission, verified)


def check_statements(answer: CheckedAnswer, opening: VerifiedOpening | None) -> None:
    """One whole quorum of key holders signed for each series that it evaluated under this very permit."""
    step, listed = answer.asked, answer.asked.papers.statements
    if not step.request.payload.selected:
        _check_quorums(listed, answer.admission.terms, answer.admission.sheets, step.space, "match")
    elif opening is not None and listed:
        _check_quorums(listed, opening.terms, opening.sheets, step.space, "open")
    elif listed:
        raise VerificationFailed("Key holders' statements are there for a step in which none was asked.")


def _check_quorums(
    listed: Sequence[str], terms: PermitTerms, sheets: Sequence[SeriesSheet], space: Space, key: str
) -> None:
    holders = {documents.key_identifier(each.signing_key): each for each in space.holders}
    keys = {kid: holder.signing_key for kid, holder in holders.items()}
    roots = {batch.identifier_type: batch.batch_root for batch in terms.batches}
    expected = {sheet.series_id: roots[sheet.identifier_type] for sheet in sheets}
    said: dict[bytes, list[EvaluationStatement]] = {}
    for document in listed:
        signed = documents.verify(EvaluationStatement, document, keys)
        statement, holder = signed.payload, holders[signed.kid]
        if (statement.holder_id, statement.x) != (holder.holder_id, holder.x):
            raise VerificationFailed("A statement names another key holder than the one that signed it.")
        if (statement.permit_id, statement.key) != (terms.permit_id, key) or (
            expected.get(statement.series_id) != statement.batch_root
        ):
            raise VerificationFailed("A key holder's statement is about another permit, series or batch.")
        said.setdefault(statement.series_id, []).append(statement)
    if said.keys() != expected.keys():
        raise VerificationFailed("For a series of the permit the key holders' statements are missing.")
    for statements in said.values():
        members = quorum.check_quorum(statements[0].quorum, space.threshold, len(space.holders))
        if [each.x for each in statements] != list(members) or any(
            each.quorum != members for each in statements
        ):
            raise VerificationFailed("The statements for a series are not those of one whole quorum.")


def check_confirmations(answers: Sequence[CheckedAnswer]) -> None:
    """A person confirmed each match that the next step selects, after it was told, and in the same case."""
    for before, after in itertools.pairwise(answers):
        read_earlier_step(
            after.asked.space,
            after.asked.request,
            before.asked.papers.request,
            before.asked.papers.disclosure,
            before.asked.papers.confirmation or "",
        )
    last = answers[-1]
    if last.asked.papers.confirmation is not None:
        key = requester_key(last.asked.space, last.asked.request.payload.requester)
        looked = documents.verify(MatchConfirmation, last.asked.papers.confirmation, key).payload
        if looked.disclosure_digest != last.disclosure.digest:
            raise VerificationFailed("The last confirmation is of other matches than the last answer's.")
        check_selected(looked.confirmed, last.asked.request.payload, looked.confirmed)


def check_opening(answer: CheckedAnswer) -> VerifiedOpening | None:
    """The second permit, each released record under its contributor's newest root, and the contributors' own word."""
    step = answer.asked
    if step.papers.opening is None and not answer.disclosure.payload.records:
        return None
    opening = verify_opening(
        step.papers.opening, answer.disclosure, answer.admission, step.request, step.space
    )
    members = {documents.key_identifier(each.signing_key): each for each in step.space.members}
    keys = {kid: member.signing_key for kid, member in members.items()}
    contributors = {each.series_id: each.contributor for each in answer.disclosure.payload.sources}
    released: dict[bytes, bool] = {}
    for document in opening.releases:
        signed = documents.verify(ContributorRelease, document, keys)
        said = signed.payload
        if (said.permit_id, said.request_digest) != (answer.admission.terms.permit_id, step.request.digest):
            raise VerificationFailed("A contributor's release is for another permit or request.")
        contributor = contributors.get(said.series_id)
        if contributor is not None and members[signed.kid].agency_id != contributor:
            raise VerificationFailed("Records were released by somebody whose records they are not.")
        released[said.series_id] = said.released
    opened = {each.series_id for each in opening.sheets}
    for source in answer.disclosure.payload.sources:
        conditions = source.conditions
        asked = conditions.releases_each_payload or conditions.contributor_kind in _ASKED_BEFORE_PAYLOAD
        if source.series_id in opened and not released.get(source.series_id, not asked):
            raise VerificationFailed("Records were opened that their contributor did not release.")
    return opening
