"""What a decision to admit is made from: the papers, checked, and the facts.

Rule: a request counts as filed when the caller signed it, is the member it names, and the roster is the newest; a
finding when one of the space's legal desks signed it over exactly this request (POLICY 1). Series that could tell
nothing are left out before the gate sees them: the requester's own (which would also make up the number of
contributors), those masked under another salt, those whose contributor left. What is given out on a decision is
`broker.permits`; the order of the steps is `broker.exchange`'s; the decision is the gate's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from broker import approvals
from broker.context import Broker
from broker.gate.facts import (
    AdmitFacts,
    Derived,
    Party,
    People,
    SeriesFacts,
    people_from,
    prior_facts,
    verified_from,
)
from broker.protocol import papers
from broker.protocol.documents import Signed, unverified_payload, verify
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.base import MAXIMUM_COUNT, decode
from broker.protocol.messages.parties import Member, Space
from broker.protocol.messages.requests import (
    Finding,
    Permit,
    Request,
    RequestSubmission,
    TokensAnswered,
)
from broker.protocol.messages.series import SeriesManifest
from broker.protocol.papers import Approved, EarlierStep
from broker.registry import Caller, load_space, member_of
from broker.store import ledger
from broker.store import requests as rows
from broker.store.database import Connection
from broker.store.series import ServingSeries, serving_series


@dataclass(frozen=True)
class Earlier:
    """Evidence of the step that a request goes on from, and the permit under which its matches are kept."""

    step: EarlierStep
    permit_id: bytes


@dataclass(frozen=True)
class Filed:
    """Evidence that a request, its findings and approvals are signed by those who may, in the roster it names."""

    request: Signed[Request]
    findings: tuple[Signed[Finding], ...]
    approvals: tuple[Approved, ...]
    earlier: Earlier | None
    space: Space
    requester: Member


@dataclass(frozen=True)
class Candidate:
    """A series that could be asked, with its verified manifest."""

    serving: ServingSeries
    manifest: SeriesManifest
    contributor: Member


def read_papers(connection: Connection, caller: Caller, submission: RequestSubmission) -> Filed:
    """Check who asks, what the legal desks found about exactly this request, who approved it, and from what it goes on.

    Raises NotFound, NotPermitted, Conflict (an old roster), BadInput or VerificationFailed."""
    request = verify(Request, submission.request, caller.signing_key)
    asked = request.payload
    space = load_space(connection, asked.space_id).payload
    member = member_of(space, caller)
    if asked.requester != member.agency_id:
        raise NotPermitted("The request names another requester than the agency that signed it.")
    if asked.roster_version != space.roster_version:
        raise Conflict(
            "The request names an old roster. Fetch the space's newest document and prepare it anew."
        )
    if not {batch.identifier_type for batch in asked.batches} <= set(space.identifier_types):
        raise BadInput("The space does not know an identifier type of the request.")
    return _papers(connection, space, member, request, submission)


def read_again(connection: Connection, stored: rows.StoredRequest) -> Filed:
    """The papers of a filed request, from what was kept of its call, under the roster it named.

    Raises VerificationFailed, NotFound, or what else `read_papers` raises."""
    submission = decode(RequestSubmission, stored.submission)
    unverified = unverified_payload(Request, submission.request)
    space = load_space(connection, stored.space_id, unverified.roster_version).payload
    member = next((each for each in space.members if each.agency_id == stored.requester), None)
    if member is None:
        raise NotFound("No such request of yours is known here.")
    request = verify(Request, submission.request, member.signing_key)
    return _papers(connection, space, member, request, submission)


def people_at(connection: Connection, filed: Filed, now: int) -> People:
    """Who stands by the request at `now`, with what approvers told the broker themselves. Raises VerificationFailed."""
    refusers, withdrawn = approvals.statements(connection, filed.request.digest)
    return people_from(filed.approvals, refusers, withdrawn, now)


def _papers(
    connection: Connection,
    space: Space,
    member: Member,
    request: Signed[Request],
    submission: RequestSubmission,
) -> Filed:
    findings = tuple(papers.read_finding(space, request, each) for each in submission.findings)
    approved = tuple(papers.read_approval(space, request, findings, each) for each in submission.approvals)
    if len({each.approver.party_id for each in approved}) != len(approved):
        raise BadInput("A person approved twice. Each person signs one approval.")
    earlier = _read_earlier(connection, space, request, submission.confirmation)
    if earlier is not None:
        papers.check_own_cause(approved, earlier.step)
    return Filed(request, findings, approved, earlier, space, member)


def _read_earlier(
    connection: Connection, space: Space, request: Signed[Request], confirmation: str | None
) -> Earlier | None:
    """What the request goes on from; None when it selects nothing, names no confirmation, or no answer was given."""
    asked = request.payload
    if not asked.selected or asked.earlier_request is None or confirmation is None:
        return None
    stored = rows.find(connection, asked.earlier_request)
    if stored is None or (stored.space_id, stored.requester) != (asked.space_id, asked.requester):
        return None
    permit = rows.permit_of(connection, stored.request_id)
    if stored.state != rows.RELEASED or permit is None or permit.disclosure is None:
        return None
    if not stored.submission:
        return None  # its papers were erased, so nothing goes on from it
    before = decode(RequestSubmission, stored.submission).request
    told = decode(TokensAnswered, permit.disclosure).document
    if told is None:
        return None
    return Earlier(papers.read_earlier_step(space, request, before, told, confirmation), permit.permit_id)


def candidates(broker: Broker, connection: Connection, filed: Filed, now: int) -> tuple[Candidate, ...]:
    """The series that serve the request's types now, in order of series_id; a request that goes on from an earlier one
    is put to what that one was put to, and no more. Raises VerificationFailed."""
    members = {member.agency_id: member for member in filed.space.members}
    types = [batch.identifier_type for batch in filed.request.payload.batches]
    before = _deposits_before(broker, connection, filed)
    found: list[Candidate] = []
    for serving in serving_series(connection, filed.space.space_id, types, now):
        contributor = members.get(serving.series.contributor)
        if contributor is None or contributor == filed.requester:
            continue
        manifest = _read_manifest(serving, contributor)
        if manifest.salt_id == filed.space.salt_id and (asked := _asked_before(serving, before)):
            found.append(Candidate(asked, manifest, contributor))
    return tuple(found)


def facts(connection: Connection, filed: Filed, found: Sequence[Candidate], now: int) -> AdmitFacts:
    """The facts of the decision; the ledger is read in the caller's transaction, which must also charge it."""
    request = filed.request.payload
    return AdmitFacts(
        now=now,
        space_id=request.space_id,
        request_digest=filed.request.digest,
        requester=Party.of(filed.requester),
        tier=request.tier,
        claims=request.claims,
        verified=verified_from([finding.payload for finding in filed.findings], now),
        derived=_derived(connection, filed, now),
        people=people_at(connection, filed, now),
        identifiers=sum(batch.identifiers for batch in request.batches),
        points=sum(batch.points for batch in request.batches),
        identifier_types=tuple(batch.identifier_type for batch in request.batches),
        series=tuple(
            SeriesFacts(
                series_id=each.serving.series.series_id,
                contributor=Party.of(each.contributor),
                identifier_type=each.manifest.identifier_type,
                conditions=each.manifest.conditions,
            )
            for each in found
        ),
    )


def _deposits_before(broker: Broker, connection: Connection, filed: Filed) -> frozenset[bytes] | None:
    """The deposits that the earlier request was answered from, None for a request that goes on from none."""
    if filed.earlier is None:
        return None
    permit = rows.permit_of(connection, filed.earlier.step.request.payload.request_id)
    if permit is None:
        return frozenset()
    terms = verify(Permit, permit.document, broker.keys.signing_public).payload.terms
    return frozenset(each for series in terms.series for each in series.deposits)


def _asked_before(serving: ServingSeries, before: frozenset[bytes] | None) -> ServingSeries | None:
    """The series with those of its deposits that a later tier may select from; None when there is none."""
    if before is None:
        return serving
    kept = tuple(deposit for deposit in serving.deposits if deposit.deposit_id in before)
    return replace(serving, deposits=kept) if kept else None


def _read_manifest(serving: ServingSeries, contributor: Member) -> SeriesManifest:
    signed = verify(SeriesManifest, serving.series.manifest, contributor.signing_key)
    if signed.payload_digest != serving.series.series_id:
        raise VerificationFailed("A stored manifest is not that of its series. Tell the operator.")
    return signed.payload


def _derived(connection: Connection, filed: Filed, now: int) -> Derived:
    space, requester = filed.space, filed.requester.agency_id
    used = ledger.usage(connection, space.space_id, requester, now)
    before = None if filed.earlier is None else filed.earlier.step
    # A sum beyond what a fact can hold is told as the largest that it can, and of hits none: L10 refuses, recorded.
    overflows = used.identifiers_90d > MAXIMUM_COUNT
    return Derived(
        identifiers_30d=min(used.identifiers_30d, MAXIMUM_COUNT),
        queries_90d=min(used.identifiers_90d, MAXIMUM_COUNT),  # L10's rate is hits to identifiers asked
        hits_90d=0 if overflows else min(used.hits_90d, MAXIMUM_COUNT),
        count_budget_left_millis=max(0, space.count_budget_millis - used.epsilon_millis_30d),
        count_cost_millis=space.count_epsilon_millis,
        overdue_reviews=ledger.overdue_reviews(connection, space.space_id, requester, now),
        **prior_facts(before),
    )
