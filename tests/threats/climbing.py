"""Requester and broker together at the key holders' doors: the papers of an honest climb to a payload, to be changed in
one place, decided on with the real rules, recorded in the real log and signed with the broker's own keys.

So whatever a holder refuses, it refuses for the one change: `recorded` without a change is answered (the honest twin).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from broker.audit.log import Receipt
from broker.gate.decide import decide_release
from broker.gate.decision import Decision
from broker.gate.facts import ReleaseFacts, people_from, prior_facts, verified_from
from broker.permits import sealed_records
from broker.protocol import documents, merkle, papers
from broker.protocol.documents import Signed
from broker.protocol.errors import NarrowgateError
from broker.protocol.group import ELEMENT_BYTES, split_elements
from broker.protocol.messages.base import Message, decode, read
from broker.protocol.messages.evaluation import (
    Consistency,
    EarlierRelease,
    EvaluationAnswer,
    LadderStep,
    OpeningCall,
)
from broker.protocol.messages.ladder import MatchConfirmation
from broker.protocol.messages.log import ConsistencyPath
from broker.protocol.messages.requests import (
    AdmissionRecord,
    Batch,
    Disclosure,
    Permit,
    PermitTerms,
    ReleaseDecided,
    Request,
    batch_leaf,
    batch_root,
)
from broker.protocol.messages.vocabulary import PayloadCategory, RecordKind, Tier
from clients.requesting.request_folder import RequestFolder
from clients.transport import Caller, ConsistencyNeeded
from tests.threats.colluding import assert_all_refuse
from tests.world import BROKER, HOLDERS, POLICE, World, phone

PAYLOAD: Mapping[str, Any] = {"highest_tier": Tier.PAYLOAD, "payload_category": PayloadCategory.SUBSCRIBER}
DAY_SECONDS = 86_400
PEOPLE = ("supervisor-1", "prosecutor-1")
Outcomes = Mapping[int, EvaluationAnswer | NarrowgateError]


@dataclass(frozen=True)
class Climbed:
    """An honest way up: hits on phone(3), phone(7) and phone(13), sources of the first two, the payload of phone(7)."""

    world: World
    hits: bytes
    sources: bytes
    payload: bytes

    def folder(self, request_id: bytes) -> RequestFolder:
        """What the requester keeps of one of the three."""
        return RequestFolder(self.world.homes[POLICE].vault, request_id)


@dataclass(frozen=True)
class Papers:
    """Everything that goes into a call to open a payload; `permit` and `opened` are the broker's part."""

    request: Signed[Request]
    findings: tuple[str, ...]
    approvals: tuple[str, ...]
    releases: tuple[str, ...]
    earlier: tuple[LadderStep, ...]
    before: EarlierRelease
    """The papers behind the sources; its sealed record is of the honest permit."""
    paths: tuple[tuple[tuple[bytes, ...], ...], ...]
    points: bytes
    facts: ReleaseFacts
    terms: PermitTerms
    record: ReleaseDecided
    permit: str = ""
    sealed: Mapping[str, bytes] | None = None
    sealed_before: Mapping[str, bytes] | None = None


def climb(world: World, case: str = "CASE-1") -> Climbed:
    """The whole way by honest people."""
    hits = world.ask([phone(number) for number in (3, 7, 13)], case_reference=case)
    sources = world.climb(hits.request_id, [phone(3), phone(7)], case_reference=case)
    payload = world.climb(sources.request_id, [phone(7)], case_reference=case)
    return Climbed(world, hits.request_id, sources.request_id, payload.request_id)


def papers_of(climbed: Climbed) -> Papers:
    """The papers of the honest payload request, with the decision that the broker recorded for it."""
    world, folder = climbed.world, climbed.folder(climbed.payload)
    world.payloads().open(climbed.payload)
    opening = folder.opening()
    assert opening is not None
    calls = [read(OpeningCall, each.call.body) for each in world.wire.seen(HOLDERS[1], "/v1/openings")]
    call = next(each for each in calls if each.request == folder.document)
    permit = documents.verify(Permit, opening.permit, world.space.broker_signing_key).payload
    with world.broker.database.read() as connection:
        record = decode(ReleaseDecided, world.broker.audit.receipt(connection, permit.proof.index).record)
    facts = decode(Decision, record.decision.encode()).facts
    assert isinstance(facts, ReleaseFacts)
    return Papers(
        request=folder.request(world.homes[POLICE].identity.signing_key),
        findings=folder.findings(),
        approvals=folder.approvals(),
        releases=call.releases,
        earlier=call.earlier,
        before=call.earlier_release,
        paths=call.paths,
        points=call.points,
        facts=facts,
        terms=permit.terms,
        record=record,
    )


def recorded(
    world: World,
    given: Papers,
    facts: ReleaseFacts | None = None,
    decision: Decision | None = None,
    kind: RecordKind = RecordKind.RELEASE,
    **terms: Any,
) -> Papers:
    """The broker decides on `facts` (or writes `decision`), records it and signs a second permit on `terms`."""
    facts = facts or given.facts
    decided = decision or decide_release(world.bundle, facts, Tier.PAYLOAD)
    named: dict[str, Any] = {
        "permit_id": world.random("forger")(16),
        "request_digest": given.request.digest,
        "batches": given.request.payload.batches,
        "decision_digest": decided.digest,
        "not_before_at": facts.now,
        "expires_at": facts.now + 72 * 3600,
    }
    made = given.terms.model_copy(update=named | terms)
    record: Message = given.record.model_copy(update={"decision": decided.text, "opening": made})
    if kind is RecordKind.ADMITTED:
        record = AdmissionRecord(terms=made, decision=decided.text)
    with world.broker.database.write() as connection:
        receipt = world.broker.audit.append(connection, kind, record, world.now)
    permit = documents.sign(Permit(terms=made, proof=receipt.proof), world.broker_keys.signing_key)
    return replace(
        given,
        facts=facts,
        terms=made,
        permit=permit.document,
        sealed=_sealed(world, made.permit_id, receipt),
        sealed_before=_sealed(world, made.permit_id, receipt_of(world, given.earlier[0])),
    )


def receipt_of(world: World, step: LadderStep) -> Receipt:
    """The log entry that a step's disclosure rests on, with its record."""
    told = documents.verify(Disclosure, step.disclosure, world.space.broker_signing_key).payload
    with world.broker.database.read() as connection:
        return world.broker.audit.receipt(connection, told.proof.index)


def _sealed(world: World, permit_id: bytes, receipt: Receipt) -> Mapping[str, bytes]:
    return {each.holder_id: each.wrapped for each in sealed_records(world.space, permit_id, receipt)}


def requested(
    world: World,
    given: Papers,
    by: Iterable[str] = PEOPLE,
    points: bytes | None = None,
    **changes: Any,
) -> Papers:
    """Another request, signed by the requester, found and approved by honest people who see digests and numbers only,
    with facts that fit it."""
    if points is not None:
        changes |= _batch(given, points)
    changes = {"request_id": world.random("forger")(16), "created_at": world.now} | changes
    request = documents.sign(
        given.request.payload.model_copy(update=changes), world.homes[POLICE].signing_key
    )
    finding = world.finding_on(request)
    approvals = tuple(world.approvals(request, finding, *by))
    made = replace(
        given, request=request, findings=(finding,), approvals=approvals, points=points or given.points
    )
    return replace(made, facts=facts_of(world, made))


def facts_of(world: World, given: Papers) -> ReleaseFacts:
    """The facts that fit these papers at this time, as a broker that knows all of them would state them."""
    request, now = given.request, world.now
    found = tuple(papers.read_finding(world.space, request, each) for each in given.findings)
    approved = tuple(papers.read_approval(world.space, request, found, each) for each in given.approvals)
    step = given.earlier[0]
    earlier = papers.read_earlier_step(world.space, request, step.request, step.disclosure, step.confirmation)
    points = sum(batch.points for batch in request.payload.batches)
    admitted = given.facts.admitted.model_copy(
        update={
            "now": now,
            "request_digest": request.digest,
            "claims": request.payload.claims,
            "verified": verified_from([each.payload for each in found], now),
            "people": people_from(approved, (), frozenset(), now),
            "derived": given.facts.admitted.derived.model_copy(update=prior_facts(earlier)),
            "identifiers": points,
            "points": points,
        }
    )
    return given.facts.model_copy(update={"now": now, "admitted": admitted})


def ask(
    world: World,
    given: Papers,
    x: int,
    series: int = 0,
    caller: Caller | None = None,
    path: str = "/v1/openings",
    **changes: Any,
) -> EvaluationAnswer:
    """Ask one holder for one series of the second permit. Raises what the holder answers."""
    assert given.sealed is not None
    before = given.before
    if given.sealed_before is not None:
        before = before.model_copy(update={"sealed_record": given.sealed_before[f"holder-{x}"]})
    fields: dict[str, Any] = {
        "permit": given.permit,
        "request": given.request.document,
        "findings": given.findings,
        "approvals": given.approvals,
        "releases": given.releases,
        "earlier": given.earlier,
        "earlier_release": before,
        "paths": given.paths,
        "sealed_record": given.sealed[f"holder-{x}"],
        "handle": given.terms.series[series].handle,
        "quorum": (1, 2) if x < 3 else (1, 3),
        "points": given.points,
    }
    call = OpeningCall(**fields | changes)
    caller, url = caller or world.caller(POLICE), f"{HOLDERS[x]}{path}"
    try:
        return caller.post(url, call, EvaluationAnswer)
    except ConsistencyNeeded as needed:
        consistency = _consistency(world, given, needed.seen_size)
        return caller.post(url, call.model_copy(update={"consistency": consistency}), EvaluationAnswer)


def ask_all(world: World, given: Papers, **changes: Any) -> Outcomes:
    """Ask every holder: its answer, or the error it answers with."""
    outcomes: dict[int, EvaluationAnswer | NarrowgateError] = {}
    for x in HOLDERS:
        try:
            outcomes[x] = ask(world, given, x, **changes)
        except NarrowgateError as error:
            outcomes[x] = error
    return outcomes


def openings(world: World) -> int:
    """How often the holders' own logs say that k_open was evaluated under a permit."""
    found = 0
    for holder in world.holders.values():
        with holder.database.read() as connection:
            page = holder.log.leaf_page(connection, 0, 1000)
        found += sum(b'"OPENED"' in leaf for leaf in page.leaves)
    return found


def step_with(
    world: World,
    step: LadderStep,
    disclosure: Callable[[Disclosure], Disclosure],
) -> LadderStep:
    """The same step with another disclosure, signed by the broker, and confirmed by the requester once more."""
    told = documents.verify(Disclosure, step.disclosure, world.space.broker_signing_key).payload
    signed = documents.sign(disclosure(told), world.broker_keys.signing_key)
    return confirmed(world, step.model_copy(update={"disclosure": signed.document}))


def confirmed(world: World, step: LadderStep, **changes: Any) -> LadderStep:
    """The same step with a confirmation of what its disclosure tells now, or with `changes` to it."""
    home = world.homes[POLICE]
    told = documents.verify(Disclosure, step.disclosure, world.space.broker_signing_key)
    before = documents.verify(MatchConfirmation, step.confirmation, home.identity.signing_key).payload
    named: dict[str, Any] = {
        "disclosure_digest": told.digest,
        "confirmed_at": max(before.confirmed_at, told.payload.released_at),
    }
    made = documents.sign(before.model_copy(update=named | changes), home.signing_key)
    return step.model_copy(update={"confirmation": made.document})


def paths_of(batch_points: bytes, index: int) -> tuple[bytes, ...]:
    """The path of one point in a batch."""
    leaves = [
        merkle.leaf_hash(batch_leaf(place, point)) for place, point in enumerate(split_elements(batch_points))
    ]
    return tuple(merkle.inclusion_path(leaves, index))


def _batch(given: Papers, points: bytes) -> dict[str, Any]:
    elements = split_elements(points)
    number = len(points) // ELEMENT_BYTES
    (before,) = given.request.payload.batches
    batch = Batch(
        identifier_type=before.identifier_type,
        identifiers=number,
        points=number,
        batch_root=batch_root(elements),
    )
    return {"batches": (batch,)}


def _consistency(world: World, given: Papers, seen: int) -> Consistency:
    permit = documents.verify(Permit, given.permit, world.space.broker_signing_key).payload
    size = int(permit.proof.checkpoint.split("\n")[1])
    old, new = sorted((seen, size))
    url = f"{BROKER}/v1/log/consistency?old={old}&new={new}"
    path = world.caller(POLICE).get(url, ConsistencyPath).path
    return Consistency(old_size=old, new_size=new, path=path)


def sources_record(world: World, given: Papers) -> ReleaseDecided:
    """What the broker recorded of the sources that these papers go on from."""
    return decode(ReleaseDecided, receipt_of(world, given.earlier[0]).record)


def sources_decided(world: World, given: Papers, decision: Decision, **told: Any) -> Papers:
    """The broker records another decision on the sources before, and signs their disclosure anew upon it."""
    sources, *others = given.earlier
    record = sources_record(world, given).model_copy(update={"decision": decision.text})
    with world.broker.database.write() as connection:
        receipt = world.broker.audit.append(connection, RecordKind.RELEASE, record, world.now)
    named = {"proof": receipt.proof, "decision_digest": decision.digest, "released_at": world.now} | told
    forged = step_with(world, sources, lambda before: before.model_copy(update=named))
    made = replace(given, earlier=(forged, *others))
    return replace(made, facts=facts_of(world, made))


@contextmanager
def days_later(world: World, days: int) -> Iterator[None]:
    before = world.now
    world.now += days * DAY_SECONDS
    try:
        yield
    finally:
        world.now = before


def refused(world: World, given: Papers, kind: type[NarrowgateError], words: str, **changes: Any) -> None:
    """Every holder refuses for that reason, and none evaluates."""
    before = openings(world)
    assert_all_refuse(ask_all(world, given, **changes), kind, words)
    assert openings(world) == before
