"""What a decision to admit is made from: the papers, checked, and the facts.

Rule: a request counts as filed when the caller signed it, is the member it names, and the roster is the newest; a
finding when one of the space's legal desks signed it over exactly this request (POLICY 1). Series that could tell
nothing are left out before the gate sees them: the requester's own (which would also make up the number of
contributors), those masked under another salt, those whose contributor left. What is given out on a decision is
`broker.permits`; the order of the steps is `broker.exchange`'s; the decision is the gate's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from broker.context import Broker
from broker.gate.facts import AdmitFacts, Derived, Party, SeriesFacts, verified_from
from broker.protocol.documents import Signed, key_identifier, verify
from broker.protocol.errors import BadInput, Conflict, NotPermitted, VerificationFailed
from broker.protocol.messages.parties import Member, Space
from broker.protocol.messages.requests import Disclosure, Finding, Request
from broker.protocol.messages.series import SeriesManifest
from broker.registry import Caller, load_space, member_of
from broker.store import ledger
from broker.store import requests as rows
from broker.store.database import Connection
from broker.store.series import ServingSeries, serving_series


@dataclass(frozen=True)
class Filed:
    """Evidence that a request and its findings are signed by those who may, in the newest roster."""

    request: Signed[Request]
    findings: tuple[Signed[Finding], ...]
    space: Space
    requester: Member


@dataclass(frozen=True)
class Candidate:
    """A series that could be asked, with its verified manifest."""

    serving: ServingSeries
    manifest: SeriesManifest
    contributor: Member


def read_papers(
    connection: Connection, caller: Caller, request: Signed[Request], findings: Sequence[str]
) -> Filed:
    """Check who asks and what the legal desks found about exactly this request.

    Raises NotFound, NotPermitted, Conflict (an old roster), BadInput or VerificationFailed."""
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
    return Filed(request, tuple(_read_finding(space, request, each) for each in findings), space, member)


def candidates(connection: Connection, filed: Filed, now: int) -> tuple[Candidate, ...]:
    """The series that serve the request's types now, in order of series_id. Raises VerificationFailed."""
    members = {member.agency_id: member for member in filed.space.members}
    types = [batch.identifier_type for batch in filed.request.payload.batches]
    found: list[Candidate] = []
    for serving in serving_series(connection, filed.space.space_id, types, now):
        contributor = members.get(serving.series.contributor)
        if contributor is None or contributor == filed.requester:
            continue
        manifest = _read_manifest(serving, contributor)
        if manifest.salt_id == filed.space.salt_id:
            found.append(Candidate(serving, manifest, contributor))
    return tuple(found)


def facts(
    broker: Broker, connection: Connection, filed: Filed, found: Sequence[Candidate], now: int
) -> AdmitFacts:
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
        derived=_derived(broker, connection, filed, now),
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


def _read_finding(space: Space, request: Signed[Request], document: str) -> Signed[Finding]:
    desks = {key_identifier(desk.signing_key): desk for desk in space.legal_desks}
    signed = verify(Finding, document, {kid: desk.signing_key for kid, desk in desks.items()})
    finding = signed.payload
    if finding.desk != desks[signed.kid].party_id:
        raise VerificationFailed("A finding names another legal desk than the one that signed it.")
    if finding.space_id != space.space_id or finding.request_digest != request.digest:
        raise VerificationFailed("A finding is about another request than the one it came with.")
    return signed


def _read_manifest(serving: ServingSeries, contributor: Member) -> SeriesManifest:
    signed = verify(SeriesManifest, serving.series.manifest, contributor.signing_key)
    if signed.payload_digest != serving.series.series_id:
        raise VerificationFailed("A stored manifest is not that of its series. Tell the operator.")
    return signed.payload


def _derived(broker: Broker, connection: Connection, filed: Filed, now: int) -> Derived:
    space, requester = filed.space, filed.requester.agency_id
    used = ledger.usage(connection, space.space_id, requester, now)
    prior = _prior(broker, connection, filed)
    return Derived(
        identifiers_30d=used.identifiers_30d,
        queries_90d=used.identifiers_90d,  # L10's rate is hits to identifiers asked
        hits_90d=used.hits_90d,
        count_budget_left_millis=max(0, space.count_budget_millis - used.epsilon_millis_30d),
        count_cost_millis=space.count_epsilon_millis,
        prior_tier=None if prior is None else prior.tier,
        prior_decided_at=None if prior is None else prior.released_at,
    )


def _prior(broker: Broker, connection: Connection, filed: Filed) -> Disclosure | None:
    """What the same requester was told before of the request this one goes on from, if there was a hit."""
    earlier_id = filed.request.payload.earlier_request
    earlier = None if earlier_id is None else rows.find(connection, earlier_id)
    if earlier is None or earlier.state != rows.RELEASED:
        return None
    if (earlier.space_id, earlier.requester) != (filed.space.space_id, filed.requester.agency_id):
        return None
    permit = rows.permit_of(connection, earlier.request_id)
    if permit is None or permit.disclosure is None:
        return None
    told = verify(Disclosure, permit.disclosure.decode("ascii"), broker.keys.signing_public).payload
    return told if told.matched else None
