"""What a key holder checks before it evaluates, numbered as a reviewer would tick it off (DESIGN 2.5).

     1 permit     signed by the pinned broker's key, for the pinned roster, within its time
     2 requester  the caller is the member the permit names, and not suspended
     3 request    signed by that member, the very one the permit names, with the permit's batches
     4 series     named by the permit, held here under the same keys, retention not over
     5 quorum     exactly t holders, this one among them
     6 points     canonical, distinct, not the identity, as many and the ones the request's root binds
     7 record     opens under this holder's key, is the one in the log that enough witnesses cosigned, and has the
                  permit's terms
     8 log        continues what this holder saw before
     9 papers     findings signed by a pinned legal desk, approvals by pinned persons, over this request
    10 decision   comes out the same under its rules, which this holder's own operator once put in force, and admits the
                  series
    11 facts      are this holder's own knowledge (`own_knowledge`)
     12 time       these rules, and those in force here, would still admit the series by this holder's own clock and
                   its own ledger
    13 crowd      below `sources`, enough of the contributors are ones whose shares this holder has

Rule: each check returns frozen evidence, or raises; the next asks for it. Nothing here writes or reads a clock. What
a second permit needs besides, before a payload is opened, is `opening_checks`'s.

Of the derived facts (the broker's ledger of other permits) it knows what it evaluated itself (`own_ledger`); the
recorded decision shows the rest to auditors. Besides each holder keeps a budget of its own (`evaluation`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from broker.gate import decide
from broker.gate.bundle import Bundle
from broker.gate.decide import Decision
from broker.gate.facts import AdmitFacts
from broker.protocol import group, leaves, merkle, papers, quorum, receipts, wrapping
from broker.protocol.checkpoint import Checkpoint
from broker.protocol.documents import Signed, key_identifier, verify
from broker.protocol.errors import (
    BadInput,
    Conflict,
    Expired,
    NarrowgateError,
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
    OpenedRecord,
    Permit,
    PermitSeries,
    PermitTerms,
    Request,
    batch_root,
)
from broker.protocol.messages.vocabulary import Outcome, RecordKind, Tier
from clients.keyholder.activation import RulesHere
from clients.keyholder.context import Caller, ConsistencyNeeded
from clients.keyholder.held import HeldSeries
from clients.keyholder.keys import HolderKeys
from clients.keyholder.own_knowledge import OwnKnowledge, Papers
from clients.keyholder.own_ledger import OwnLedger
from clients.keyholder.store.permits import SeenCheckpoint

_NAMES_NOBODY = (Tier.COUNT, Tier.HITS)
RUN_OUT = (
    "What the request rests on has run out since it was decided: a finding, an approval, its legal basis, a "
    "retention or a budget. File a new request."
)
CHANGED_RULES = (
    "The rules were changed since the request was decided, and those in force at this key holder do not allow it. File "
    "a new request."
)


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
    """Check 7: the decision as it stands in the broker's log, and the permit's terms with it."""

    decision: str
    entry: receipts.VerifiedEntry
    terms: PermitTerms


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


def check_unselected(request: Signed[Request]) -> Signed[Request]:
    """3a. The request asks anew: one that selects from an earlier request is opened under a second permit, or not."""
    if request.payload.selected or request.payload.tier is Tier.PAYLOAD:
        raise NotPermitted(
            "What selects from an earlier request needs no evaluation but under its second permit."
        )
    return request


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


def open_record(
    permit: CheckedPermit, keys: HolderKeys, sealed: bytes, kind: RecordKind
) -> tuple[bytes, receipts.VerifiedEntry]:
    """The record of the permit's own entry, which opens here and stands in the pinned log, with that entry."""
    info = wrapping.facts_info(permit.terms.permit_id, keys.holder_id)
    opened = decode(OpenedRecord, wrapping.unwrap(keys.wrapping.private, sealed, info))
    proof = permit.permit.proof
    entry = receipts.verify_witnessed(proof, permit.space)
    if entry.content.kind != kind:
        raise VerificationFailed("The permit's log entry is of another kind than such a permit needs.")
    leaves.verify_record(proof.leaf, opened.record, opened.salt)
    return opened.record, entry


def check_record(permit: CheckedPermit, keys: HolderKeys, sealed: bytes) -> CheckedRecord:
    """7. The admission's record opens here, stands in the pinned log, and has the permit's terms."""
    opened, entry = open_record(permit, keys, sealed, RecordKind.ADMITTED)
    record = decode(AdmissionRecord, opened)
    return CheckedRecord(record.decision, entry, check_terms(permit, record.terms, record.decision))


def check_terms(permit: CheckedPermit, recorded: PermitTerms | None, decision: str) -> PermitTerms:
    """The recorded terms, once they are the permit's, and name the recorded decision."""
    if recorded != permit.terms:
        raise VerificationFailed("The permit's terms are not those recorded in the log.")
    if hashlib.sha256(decision.encode()).digest() != permit.terms.decision_digest:
        raise VerificationFailed("The recorded decision is not the one the permit names.")
    return permit.terms


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
    if consistency is None or (consistency.old_size, consistency.new_size) != (old_size, new_size):
        raise ConsistencyNeeded(seen.size)
    merkle.verify_consistency(old_size, new_size, consistency.path, old_root, new_root)
    return shown


def check_papers(
    space: Space, request: Signed[Request], findings: Sequence[str], approvals: Sequence[str]
) -> Papers:
    """9. Findings by pinned legal desks, and approvals by pinned persons, over this very request."""
    found = tuple(papers.read_finding(space, request, each) for each in findings)
    approved = tuple(papers.read_approval(space, request, found, each) for each in approvals)
    return Papers(found, approved)


def check_decision(permit: CheckedPermit, record: CheckedRecord, bundle: Bundle) -> CheckedDecision:
    """10. The decision comes out the same under this holder's own copy of its rules, allows, and admits the permit's
    series."""
    terms, decision = permit.terms, replay(permit, record, bundle)
    if not isinstance(decision.facts, AdmitFacts):
        raise VerificationFailed("The permit rests on a decision that is none about a request.")
    if decision.action != "admit" or decision.outcome is not Outcome.ALLOW:
        raise Refused("The rules refuse this request, and yet the broker gave a permit. Tell an auditor.")
    # Fewer series than were admitted would single out a contributor; more were never decided on.
    if sorted(series.series_id for series in terms.series) != sorted(decision.admitted_series):
        raise VerificationFailed("The permit opens other series than the decision admits.")
    if terms.tier is not decision.tier:
        raise VerificationFailed("The permit is for another tier than was decided.")
    return CheckedDecision(decision, decision.facts)


def replay(permit: CheckedPermit, record: CheckedRecord, bundle: Bundle) -> Decision:
    """The recorded decision, taken again under this holder's own copy of the rules that the permit names."""
    try:
        decision = decide.replay(bundle, record.decision)
    except BadInput:
        # The broker wrote it, so it is not the caller's bad input.
        raise VerificationFailed(
            "The recorded decision is none that these rules could have come to."
        ) from None
    if decision.digest != permit.terms.decision_digest:
        raise VerificationFailed("The permit rests on another decision than the recorded one.")
    return decision


def check_facts(permit: CheckedPermit, own: OwnKnowledge, decision: CheckedDecision) -> CheckedDecision:
    """11. The decision rests on what this holder itself knows."""
    facts = decision.facts
    if not permit.terms.not_before_at <= facts.now < permit.terms.expires_at:
        raise VerificationFailed("The decision was taken at another time than the permit is for.")
    own.check(facts, facts.now)
    return decision


def check_time(
    own: OwnKnowledge, decision: CheckedDecision, rules: RulesHere, series_id: bytes, now: int
) -> CheckedDecision:
    """12. At `now`, this holder's own time, the rules come to the same, and those in force here too: the broker chose
    the decision's date and rules, and says what its ledger has.

    Else a decision dated back would revive a finding, an approval, an order or a retention that has run out, and a
    broker that leaves something out of its ledger would give a budget twice."""
    dated = replace(own, ledger=OwnLedger())

    def comes_to(again: Decision) -> bool:
        return again.tier is decision.decision.tier and series_id in again.admitted_series

    for bundle in rules.all:
        again = decide.decide_admission(bundle, own.at(decision.facts, now))
        if comes_to(again):
            continue
        if comes_to(decide.decide_admission(bundle, dated.at(decision.facts, now))):
            said = " ".join(again.reasons if again.outcome is Outcome.DENY else again.notes)
            raise Refused(
                f"This key holder evaluated more for the requester than the broker decided on. {said} Wait, file a "
                "smaller request, or name other holders."
            )
        raise no_more(decision.decision, bundle)
    return decision


def no_more(decision: Decision, bundle: Bundle) -> NarrowgateError:
    """Why what was decided is not allowed any more: the rules changed, or else what it rests on ran out."""
    return Expired(RUN_OUT) if bundle.digest == decision.bundle_digest else Refused(CHANGED_RULES)


def check_crowd(
    decision: CheckedDecision, rules: RulesHere, requester: Member, contributors: frozenset[str]
) -> CheckedDecision:
    """13. An answer that names nobody hides each contributor among others; `contributors` are those of the admitted
    series that this holder has shares of, so that a broker cannot make up the others."""
    others = contributors - {requester.agency_id}
    if decision.decision.tier in _NAMES_NOBODY and len(others) < rules.count_contributors:
        raise NotPermitted(
            "This key holder has shares of too few of the contributors that the broker says could answer, so its "
            "answer might single one out. Name other key holders."
        )
    return decision
