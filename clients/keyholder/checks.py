"""What a key holder checks before it evaluates, numbered as a reviewer would tick it off (DESIGN 2.5).

     1 permit     signed by the pinned broker's key, for the pinned roster, within its time
     2 requester  the caller is the member the permit names, and not suspended
     3 request    signed by that member, the very one the permit names, with the permit's batches
     4 series     named by the permit, held here under the same keys, retention not over
     5 quorum     exactly t holders, this one among them
     6 points     canonical, distinct, not the identity, as many and the ones the request's root binds
     7 record     opens under this holder's key, is the one in the log, and has the permit's terms
     8 log        continues what this holder saw before
     9 findings   signed by a pinned legal desk over this request
    10 decision   comes out the same under the rules this holder's own operator activated, and admits the series
    11 facts      are this holder's own knowledge: claims, findings, roster, manifests, sizes
    12 time       the rules would still admit the series by this holder's own clock
    13 crowd      below `sources`, enough of the contributors are ones whose shares this holder has

Rule: each check returns frozen evidence, or raises; the next asks for it. Nothing here writes or reads a clock.

It cannot check the derived facts (the broker's ledger of other permits): for those each holder keeps a budget of its
own (`clients.keyholder.evaluation`), and the recorded decision shows them to auditors.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from broker.gate import decide
from broker.gate.bundle import Bundle
from broker.gate.decide import Decision
from broker.gate.facts import AdmitFacts, Party, SeriesFacts, verified_from
from broker.protocol import group, leaves, merkle, quorum, receipts, wrapping
from broker.protocol.checkpoint import Checkpoint
from broker.protocol.documents import Signed, key_identifier, verify
from broker.protocol.errors import (
    BadInput,
    Conflict,
    Expired,
    NotPermitted,
    Refused,
    VerificationFailed,
)
from broker.protocol.messages.base import decode
from broker.protocol.messages.evaluation import Consistency
from broker.protocol.messages.parties import Member, Space
from broker.protocol.messages.requests import (
    AdmissionRecord,
    Batch,
    Finding,
    OpenedRecord,
    Permit,
    PermitSeries,
    PermitTerms,
    Request,
    batch_root,
)
from broker.protocol.messages.vocabulary import Outcome, RecordKind, Tier
from clients.keyholder.context import Caller, ConsistencyNeeded
from clients.keyholder.held import HeldSeries
from clients.keyholder.keys import HolderKeys
from clients.keyholder.store.permits import SeenCheckpoint

_NAMES_NOBODY = (Tier.COUNT, Tier.HITS)


class LogForked(VerificationFailed):
    """The broker's log shows two roots at one size. `seen_note` and `other_note` are the signed evidence."""

    def __init__(self, seen_note: str, other_note: str) -> None:
        super().__init__(
            "The broker's log is not the one this key holder saw before: it forked. Tell an auditor."
        )
        self.seen_note = seen_note
        self.other_note = other_note


MAXIMUM_PERMIT_SECONDS = 30 * 86_400
"""The longest that a broker's settings allow: what was decided long ago is to be decided anew."""


@dataclass(frozen=True)
class CheckedPermit:
    """Check 1: the broker signed these terms for the pinned space, and they hold now."""

    permit: Permit
    space: Space

    @property
    def terms(self) -> PermitTerms:
        """What the permit allows."""
        return self.permit.terms


@dataclass(frozen=True)
class CheckedPoints:
    """Check 6: the points of one batch, fit to be evaluated."""

    elements: tuple[bytes, ...]
    batch: Batch
    digest: bytes


@dataclass(frozen=True)
class CheckedDecision:
    """Checks 10 and 11: the decision, made again here, and its facts."""

    decision: Decision
    facts: AdmitFacts


@dataclass(frozen=True)
class CheckedRecord:
    """Check 7: the admission as it stands in the broker's log."""

    record: AdmissionRecord
    entry: receipts.VerifiedEntry


def check_permit(document: str, spaces: Sequence[Signed[Space]], now: int) -> CheckedPermit:
    """1. Signed by the broker of a pinned space, for its newest pinned roster, within its time."""
    brokers = {key_identifier(space.payload.broker_signing_key): space.payload for space in spaces}
    signed = verify(Permit, document, {kid: space.broker_signing_key for kid, space in brokers.items()})
    terms = signed.payload.terms
    space = next((each.payload for each in spaces if each.payload.space_id == terms.space_id), None)
    if space is None or key_identifier(space.broker_signing_key) != signed.kid:
        raise VerificationFailed(
            "The permit is for a space whose broker is another than the one that signed it."
        )
    _check_roster(terms, space)
    if space.witnesses_needed:
        # The space document carries no witness keys yet, so cosignatures could not be checked: refuse, not pass over.
        raise NotPermitted(
            "This key holder cannot check the witnesses that the space asks for, so it answers nothing."
        )
    if not terms.not_before_at <= now < terms.expires_at:
        raise Expired("The permit's time is over or has not begun. File the request again.")
    if terms.expires_at - terms.not_before_at > MAXIMUM_PERMIT_SECONDS:
        raise NotPermitted("The permit is for longer than 30 days, which no honest broker gives.")
    return CheckedPermit(signed.payload, space)


def _check_roster(terms: PermitTerms, space: Space) -> None:
    if terms.roster_version < space.roster_version:
        raise Conflict(
            "The permit is under an older roster than this key holder's operator pinned. Join the space again from the "
            "founder's newest file and file the request anew."
        )
    if terms.roster_version > space.roster_version:
        raise Conflict(
            "The permit is under a newer roster than this key holder's operator pinned. Ask the operator to pin the "
            "founder's newest file (narrowgate keyholder pin), or ask other holders."
        )
    if terms.trial != space.trial:
        raise Conflict("The permit is for another kind of the space than this key holder's operator pinned.")


def check_requester(permit: CheckedPermit, caller: Caller) -> Member:
    """2. The call is signed by the member the permit names."""
    for member in permit.space.members:
        if member.agency_id == permit.terms.requester and member.signing_key == caller.signing_key:
            if member.suspended:
                raise NotPermitted("The requester is suspended from the space.")
            return member
    raise NotPermitted("The permit is another party's. Only the requester it names may use it.")


def check_request(permit: CheckedPermit, requester: Member, document: str) -> Signed[Request]:
    """3. The request is the requester's own, and the very one that was admitted."""
    signed = verify(Request, document, requester.signing_key)
    request, terms = signed.payload, permit.terms
    if signed.digest != terms.request_digest:
        raise VerificationFailed("The request is not the one the permit was given for.")
    if (request.space_id, request.roster_version, request.requester, request.batches) != (
        terms.space_id,
        terms.roster_version,
        terms.requester,
        terms.batches,
    ):
        raise VerificationFailed("The permit's terms are not those of its request.")
    return signed


def find_series(permit: CheckedPermit, handle: bytes) -> PermitSeries:
    """4a. The permit names the series."""
    for series in permit.terms.series:
        if series.handle == handle:
            return series
    raise NotPermitted("The permit opens no series of that handle.")


def check_series(permit: CheckedPermit, series: PermitSeries, held: HeldSeries, now: int) -> HeldSeries:
    """4b. The series held here is the one meant, under the same keys, and its retention is not over."""
    manifest = held.manifest
    if (held.series_id, held.key_digest, manifest.identifier_type, manifest.space_id) != (
        series.series_id,
        series.key_digest,
        series.identifier_type,
        permit.terms.space_id,
    ):
        raise VerificationFailed("The permit describes the series otherwise than its manifest.")
    if manifest.conditions.retain_until <= now:
        raise Expired("The series' retention is over. It is evaluated no more.")
    return held


def check_quorum(held: HeldSeries, asked: Sequence[int]) -> tuple[int, ...]:
    """5. Exactly t holders in order, this one among them."""
    sound = quorum.check_quorum(asked, held.manifest.threshold, len(held.manifest.holders))
    if held.shares.match.x not in sound:
        raise BadInput("This key holder is not in the quorum that the call names.")
    return sound


def check_points(permit: CheckedPermit, series: PermitSeries, data: bytes) -> CheckedPoints:
    """6. The points are those the request's root binds, and each is fit to be evaluated."""
    batch = next(
        (each for each in permit.terms.batches if each.identifier_type == series.identifier_type), None
    )
    if batch is None:
        raise VerificationFailed("The permit has no batch of the series' identifier type.")
    elements = group.split_elements(data)
    if len(elements) != batch.points or batch_root(elements) != batch.batch_root:
        raise VerificationFailed("The points are not those the request was filed with.")
    if len(set(elements)) != len(elements):
        raise BadInput("A point was sent twice. Send each distinct identifier once, blinded afresh.")
    for each in elements:
        group.check_element(each)
    return CheckedPoints(elements, batch, hashlib.sha256(data).digest())


def check_record(permit: CheckedPermit, keys: HolderKeys, sealed: bytes) -> CheckedRecord:
    """7. The admission's record opens here, stands in the pinned log, and has the permit's terms."""
    info = wrapping.facts_info(permit.terms.permit_id, keys.holder_id)
    opened = decode(OpenedRecord, wrapping.unwrap(keys.wrapping.private, sealed, info))
    proof = permit.permit.proof
    entry = receipts.verify_log_proof(proof, permit.space.log_origin, permit.space.log_key)
    if entry.content.kind != RecordKind.ADMITTED:
        raise VerificationFailed("The permit's log entry is not an admission.")
    leaves.verify_record(proof.leaf, opened.record, opened.salt)
    record = decode(AdmissionRecord, opened.record)
    if record.terms != permit.terms:
        raise VerificationFailed("The permit's terms are not those recorded in the log.")
    if hashlib.sha256(record.decision.encode()).digest() != permit.terms.decision_digest:
        raise VerificationFailed("The recorded decision is not the one the permit names.")
    return CheckedRecord(record, entry)


def check_log(
    record: CheckedRecord, note: str, seen: SeenCheckpoint | None, consistency: Consistency | None
) -> Checkpoint:
    """8. The log continues what this holder saw, or what it saw continues this (RFC 9162 2.1.4).

    `note` is the permit's checkpoint, kept as evidence. A holder that saw nothing yet takes the first on trust."""
    shown = record.entry.checkpoint
    if seen is None:
        return shown
    if shown.size == seen.size:
        if shown.root != seen.root:
            raise LogForked(seen.note, note)
        return shown
    (old_size, old_root), (new_size, new_root) = sorted([(shown.size, shown.root), (seen.size, seen.root)])
    if consistency is None or consistency.old_size != old_size:
        raise ConsistencyNeeded(seen.size)
    merkle.verify_consistency(old_size, new_size, consistency.path, old_root, new_root)
    return shown


def check_findings(space: Space, request: Signed[Request], documents: Sequence[str]) -> tuple[Finding, ...]:
    """9. Each finding is signed by the pinned legal desk it names, over this very request."""
    desks = {key_identifier(desk.signing_key): desk for desk in space.legal_desks}
    keys = {kid: desk.signing_key for kid, desk in desks.items()}
    findings = []
    for document in documents:
        signed = verify(Finding, document, keys)
        finding = signed.payload
        if finding.desk != desks[signed.kid].party_id:
            raise VerificationFailed("A finding names another legal desk than the one that signed it.")
        if (finding.space_id, finding.request_digest) != (space.space_id, request.digest):
            raise VerificationFailed("A finding is about another request.")
        findings.append(finding)
    return tuple(findings)


def check_decision(permit: CheckedPermit, record: CheckedRecord, bundle: Bundle) -> CheckedDecision:
    """10. The decision comes out the same under this holder's own rules, allows, and admits the permit's series."""
    terms = permit.terms
    if terms.bundle_digest != bundle.digest:
        raise Conflict("The request was decided under other rules than are in force at this key holder.")
    try:
        decision = decide.replay(bundle, record.record.decision)
    except BadInput:
        # The broker wrote it, so it is not the caller's bad input.
        raise VerificationFailed(
            "The recorded decision is none that these rules could have come to."
        ) from None
    if decision.digest != terms.decision_digest or not isinstance(decision.facts, AdmitFacts):
        raise VerificationFailed("The permit rests on a decision that is none about a request.")
    if decision.action != "admit" or decision.outcome is not Outcome.ALLOW:
        raise Refused("The rules refuse this request, and yet the broker gave a permit. Tell an auditor.")
    # Fewer series than were admitted would single out a contributor; more were never decided on.
    if sorted(series.series_id for series in terms.series) != sorted(decision.admitted_series):
        raise VerificationFailed("The permit opens other series than the decision admits.")
    if terms.tier is not decision.tier:
        raise VerificationFailed("The permit is for another tier than was decided.")
    return CheckedDecision(decision, decision.facts)


def check_facts(
    permit: CheckedPermit,
    request: Signed[Request],
    requester: Member,
    findings: Sequence[Finding],
    decision: CheckedDecision,
    known: Sequence[SeriesFacts],
) -> CheckedDecision:
    """11. The decision rests on what this holder itself knows; `known` is its own view of the decision's series."""
    facts, asked, space = decision.facts, request.payload, permit.space
    if not permit.terms.not_before_at <= facts.now < permit.terms.expires_at:
        raise VerificationFailed("The decision was taken at another time than the permit is for.")
    # A mapping and not AdmitFacts, which would not be made of a broker's contradictions.
    own: dict[str, object] = {
        "now": facts.now,
        "space_id": space.space_id,
        "request_digest": request.digest,
        "requester": Party.of(requester),
        "tier": asked.tier,
        "claims": asked.claims,
        "verified": verified_from(findings, facts.now),
        "derived": facts.derived.model_copy(update={"count_cost_millis": space.count_epsilon_millis}),
        "identifiers": sum(batch.identifiers for batch in asked.batches),
        "points": sum(batch.points for batch in asked.batches),
        "identifier_types": tuple(batch.identifier_type for batch in asked.batches),
        "series": tuple(known),
    }
    untrue = [name for name in AdmitFacts.model_fields if own[name] != getattr(facts, name)]
    if untrue:
        raise VerificationFailed(f"The broker decided on facts that are not so: {', '.join(untrue)}.")
    return decision


def check_time(
    decision: CheckedDecision, findings: Sequence[Finding], bundle: Bundle, series_id: bytes, now: int
) -> CheckedDecision:
    """12. At `now`, this holder's own time, the rules come to the same: the broker chose the decision's date.

    Else a decision dated back would revive a finding, an order or a retention that has run out."""
    facts = decision.facts.model_copy(update={"now": now, "verified": verified_from(findings, now)})
    again = decide.decide_admission(bundle, facts)
    if again.tier is not decision.decision.tier or series_id not in again.admitted_series:
        raise Expired(
            "What the request rests on has run out since it was decided: a finding, its legal basis or a retention. "
            "File a new request."
        )
    return decision


def check_crowd(
    decision: CheckedDecision, bundle: Bundle, requester: Member, contributors: frozenset[str]
) -> CheckedDecision:
    """13. An answer that names nobody hides each contributor among others; `contributors` are those of the admitted
    series that this holder has shares of, so that a broker cannot make up the others."""
    others = contributors - {requester.agency_id}
    if decision.decision.tier in _NAMES_NOBODY and len(others) < bundle.limits.count_contributors:
        raise NotPermitted(
            "This key holder has shares of too few of the contributors that the broker says could answer, so its "
            "answer might single one out. Name other key holders."
        )
    return decision
