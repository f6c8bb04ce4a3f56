"""People's signatures, misused: on other papers, too early or too late, by the wrong person, or in one's own cause.

The papers go to the broker by hand, past the client's own checks; `test_ladder_broker.py` has the same at the key
holders, with a broker that looks away.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from broker.gate.decide import decide_release
from broker.protocol import documents, papers
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.approvals import (
    Approval,
    ApprovalRefusal,
    ApprovalWithdrawal,
    dossier_digest,
)
from broker.protocol.messages.base import encode, read
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Admission, Request, RequestSubmission
from broker.protocol.messages.vocabulary import Capacity, Purpose, Tier
from broker.store import requests as request_rows
from clients.remote import RefusedByGate
from clients.requesting.request_folder import RequestFolder
from clients.transport import RemoteUnauthenticated
from tests import gate_world
from tests.threats import climbing
from tests.threats.climbing import Climbed
from tests.threats.colluding import assert_all_refuse
from tests.world import BROKER, POLICE, World, phone

HOUR_SECONDS = 3600
DAY_SECONDS = 86_400


@pytest.fixture(scope="module")
def world(climbed: Climbed) -> World:
    return climbed.world


@contextmanager
def at(world: World, now: int) -> Iterator[None]:
    before = world.now
    world.now = now
    try:
        yield
    finally:
        world.now = before


def prepared(climbed: Climbed, **claims: Any) -> Signed[Request]:
    """A request for the source of phone(3), confirmed and signed."""
    return climbed.world.climb_prepared(climbed.hits, [phone(3)], **claims)


def file(world: World, request: Signed[Request], findings: Sequence[str], approvals: Sequence[str]) -> None:
    """File by hand. Raises what the broker answers."""
    confirmation = RequestFolder(world.homes[POLICE].vault, request.payload.request_id).earlier_confirmation()
    submission = RequestSubmission(
        request=request.document,
        findings=tuple(findings),
        approvals=tuple(approvals),
        confirmation=confirmation,
    )
    world.caller(POLICE).post(f"{BROKER}/v1/requests", submission, Admission)


def long_order(world: World) -> dict[str, Any]:
    return {"basis": gate_world.basis(valid_until=world.now + 60 * DAY_SECONDS)}


# --- the page changed ---


@pytest.mark.parametrize("change", ["added", "replaced", "left out"])
def test_an_approval_is_of_the_findings_that_were_shown(climbed: Climbed, world: World, change: str) -> None:
    request = prepared(climbed)
    shown, other = world.finding_on(request), world.finding_on(request)
    both = change == "left out"
    people = [world.approver(name) for name in climbing.PEOPLE]
    seen = [shown, other] if both else [shown]
    approvals = [each.approve(each.read(request.document, seen)).document for each in people]
    filed = {"added": [shown, other], "replaced": [other], "left out": [shown]}[change]
    with pytest.raises(VerificationFailed, match="over other papers than these"):
        file(world, request, filed, approvals)
    file(world, request, list(reversed(seen)), approvals)  # in any order, the papers are the same


def test_an_approval_is_of_one_request_and_no_later_wording_of_it(climbed: Climbed, world: World) -> None:
    request = prepared(climbed)
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, *climbing.PEOPLE)
    key = world.homes[POLICE].signing_key
    for change in (
        {"claims": gate_world.claims(necessity="Found on another telephone")},
        {"request_id": bytes(16)},
    ):
        reworded = documents.sign(request.payload.model_copy(update=change), key)
        with pytest.raises(VerificationFailed, match="about another request"):
            papers.read_approval(world.space, reworded, (), approvals[0])
        with pytest.raises(VerificationFailed, match="about another request"):
            file(world, reworded, [world.finding_on(reworded)], approvals)
    # Another request of the same case, the same person, the same day.
    other = prepared(climbed)
    with pytest.raises(VerificationFailed, match="about another request"):
        file(world, other, [world.finding_on(other)], approvals)


# --- between admission and release ---


def admitted(
    climbed: Climbed, by: Sequence[str] = climbing.PEOPLE, **claims: Any
) -> tuple[Signed[Request], list[str]]:
    """A request for sources that the broker admitted, its tokens ready and not yet sent."""
    world, request = climbed.world, prepared(climbed, **claims)
    finding = world.finding_on(request)
    approvals = [
        each.approve(each.read(request.document, [finding]), valid_days=1).document
        for each in map(world.approver, by)
    ]
    request_id = request.payload.request_id
    world.requester().file(request_id, [finding], approvals)
    world.requester().evaluate(request_id)
    return request, approvals


def assert_refused_at_release(world: World, request: Signed[Request], rule: str) -> None:
    """The gate denies the result: RELEASE and FAILED are recorded, and nothing is told."""
    before = world.log_kinds()
    with pytest.raises(RefusedByGate) as caught:
        world.requester().submit(request.payload.request_id)
    assert rule in caught.value.rules
    assert world.log_kinds()[len(before) :] == ["TOKENS", "RELEASE", "FAILED"]
    folder = RequestFolder(world.homes[POLICE].vault, request.payload.request_id)
    assert (folder.answer(), folder.opening()) == (None, None)
    with world.broker.database.read() as connection:
        permit = request_rows.permit_of(connection, request.payload.request_id)
        assert request_rows.state(connection, request.payload.request_id) == request_rows.FAILED
    assert permit is not None
    assert b'"matched"' not in (permit.disclosure or b"")


def test_an_approval_that_expires_between_admission_and_release_releases_nothing(
    climbed: Climbed, world: World
) -> None:
    """Signed a day ago, filed half a day later, and past its time when the tokens come."""
    start = world.now
    request = prepared(climbed, **long_order(world))
    finding = world.finding_on(request)
    people = [world.approver(name) for name in climbing.PEOPLE]
    approvals = [
        each.approve(each.read(request.document, [finding]), valid_days=1).document for each in people
    ]
    with at(world, start + 12 * HOUR_SECONDS):
        world.requester().file(request.payload.request_id, [finding], approvals)
        world.requester().evaluate(request.payload.request_id)
    with at(world, start + DAY_SECONDS):
        assert_refused_at_release(world, request, "L09")


def test_an_approval_that_expired_before_it_was_filed_admits_nothing(climbed: Climbed, world: World) -> None:
    start = world.now
    request = prepared(climbed, **long_order(world))
    finding = world.finding_on(request)
    people = [world.approver(name) for name in climbing.PEOPLE]
    approvals = [
        each.approve(each.read(request.document, [finding]), valid_days=1).document for each in people
    ]
    with at(world, start + DAY_SECONDS), pytest.raises(RefusedByGate) as caught:
        file(world, request, [finding], approvals)
    assert caught.value.rules == ("L09",)


def test_an_approval_taken_back_between_admission_and_release_releases_nothing(
    climbed: Climbed, world: World
) -> None:
    request, approvals = admitted(climbed)
    own = world.homes["prosecutor-1"].identity.signing_key
    signed = documents.verify(Approval, approvals[1], own).payload
    world.approver("prosecutor-1").withdraw(signed.approval_id, "The grounds were another's")
    assert_refused_at_release(world, request, "L09")


def test_a_refusal_after_others_approved_releases_nothing(climbed: Climbed, world: World) -> None:
    request, _ = admitted(climbed)
    judge = world.approver("judge-1")
    folder = RequestFolder(world.homes[POLICE].vault, request.payload.request_id)
    judge.refuse(judge.read(request.document, folder.findings()), "Too wide")
    assert_refused_at_release(world, request, "L09a")


def test_a_judges_order_that_expires_between_admission_and_release_releases_nothing(
    climbed: Climbed, world: World
) -> None:
    """Validated, verified and in force when the request was admitted; the result may leave no more an hour later."""
    order = gate_world.basis(valid_until=world.now + HOUR_SECONDS)
    start = world.now
    request, _ = admitted(climbed, basis=order)
    with at(world, start + HOUR_SECONDS):
        assert_refused_at_release(world, request, "L01")


# --- one person, two roles ---


def test_the_officer_of_a_request_may_not_approve_it(climbed: Climbed, world: World) -> None:
    request = prepared(climbed, officer="supervisor-1")
    finding = world.finding_on(request)
    with pytest.raises(NotPermitted, match="Ask another person"):
        world.approvals(request, finding, "supervisor-1")
    approvals = [forced(world, request, finding, "supervisor-1")]
    approvals += world.approvals(request, finding, "prosecutor-1")
    with pytest.raises(NotPermitted, match="Ask another person"):
        file(world, request, [finding], approvals)


def forced(world: World, request: Signed[Request], finding: str, name: str, **changes: Any) -> str:
    """An approval signed past the client's own checks."""
    entry = next(each for each in world.space.approvers if each.party_id == name)
    found = papers.read_finding(world.space, request, finding)
    approval = Approval(
        approval_id=world.random("forger")(16),
        space_id=world.space.space_id,
        request_digest=request.digest,
        dossier_digest=dossier_digest(request.document, [found.document]),
        approver=entry.party_id,
        capacity=entry.capacity,
        approved_at=world.now,
        expires_at=world.now + DAY_SECONDS,
    )
    return documents.sign(approval.model_copy(update=changes), world.homes[name].signing_key).document


def test_a_legal_desk_approves_nothing(climbed: Climbed, world: World) -> None:
    """Neither with its own key, nor as an approver of a roster that would list it."""
    request = prepared(climbed)
    finding = world.finding_on(request)
    approval = documents.verify(
        Approval,
        forced(world, request, finding, "prosecutor-1"),
        world.homes["prosecutor-1"].identity.signing_key,
    ).payload
    desk = world.homes["desk-1"]
    by_the_desk = documents.sign(approval.model_copy(update={"approver": "desk-1"}), desk.signing_key)
    with pytest.raises(VerificationFailed, match="may not sign"):
        file(world, request, [finding], [by_the_desk.document])
    named_so = tuple(
        each.model_copy(update={"party_id": "desk-1"}) if each.party_id == "prosecutor-1" else each
        for each in world.space.approvers
    )
    roster = world.space.model_copy(update={"approvers": named_so})
    own = documents.sign(
        approval.model_copy(update={"approver": "desk-1"}), world.homes["prosecutor-1"].signing_key
    )
    found = (papers.read_finding(world.space, request, finding),)
    with pytest.raises(NotPermitted, match="Ask another person"):
        papers.read_approval(roster, request, found, own.document)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("one key under two names", "one key stands for two parties"),
        ("a desk that approves", "one key stands for two parties"),
        ("one name in two roles", "one person has two roles"),
        ("the broker approves", "one key stands for two parties"),
    ],
)
def test_a_roster_in_which_one_person_is_two_is_none(world: World, change: str, words: str) -> None:
    supervisor, prosecutor, *others = world.space.approvers
    desk = world.space.legal_desks[0]
    changed = {
        "one key under two names": prosecutor.model_copy(update={"signing_key": supervisor.signing_key}),
        "a desk that approves": prosecutor.model_copy(update={"signing_key": desk.signing_key}),
        "one name in two roles": prosecutor.model_copy(update={"party_id": desk.party_id}),
        "the broker approves": prosecutor.model_copy(update={"signing_key": world.space.broker_signing_key}),
    }[change]
    roster = world.space.model_copy(update={"approvers": (supervisor, changed, *others)})
    with pytest.raises(BadInput, match=words):
        read(Space, encode(roster))
    read(Space, encode(world.space))


def test_a_supervisor_of_another_agency_may_not_approve(climbed: Climbed, world: World) -> None:
    request = prepared(climbed)
    finding = world.finding_on(request)
    approval = forced(world, request, finding, "supervisor-1")
    found = (papers.read_finding(world.space, request, finding),)
    people = tuple(
        each.model_copy(update={"agency_id": "company-1"}) if each.agency_id else each
        for each in world.space.approvers
    )
    elsewhere = world.space.model_copy(update={"approvers": people})
    with pytest.raises(NotPermitted, match="its own agency only"):
        papers.read_approval(elsewhere, request, found, approval)
    papers.read_approval(world.space, request, found, approval)


def test_nobody_signs_in_a_capacity_that_the_roster_does_not_give(climbed: Climbed, world: World) -> None:
    request = prepared(climbed)
    finding = world.finding_on(request)
    for change in ({"capacity": Capacity.JUDGE}, {"approver": "prosecutor-1"}):
        approval = forced(world, request, finding, "supervisor-1", **change)
        with pytest.raises(VerificationFailed, match="another person or capacity"):
            file(world, request, [finding], [approval])


def test_one_person_is_not_two_approvers(climbed: Climbed, world: World) -> None:
    request = prepared(climbed)
    finding = world.finding_on(request)
    twice = [forced(world, request, finding, "supervisor-1") for _ in range(2)]
    with pytest.raises(BadInput, match="approved twice"):
        file(world, request, [finding], twice)


def test_one_person_that_signs_twice_is_one_at_the_key_holders(climbed: Climbed, world: World) -> None:
    """The broker looks away and counts two; each holder counts persons."""
    given = climbing.requested(world, climbing.papers_of(climbed), by=("supervisor-1", "supervisor-1"))
    assert given.facts.admitted.people.approvers == ("supervisor-1",)
    honest = climbing.ask_all(world, climbing.recorded(world, given))
    assert_all_refuse(honest, RefusedByGate, "Tell an auditor")
    # Counted twice in the facts, which the rules would allow; no record of such facts can be read.
    admitted_on = given.facts.admitted
    two = admitted_on.people.model_copy(update={"approvers": ("supervisor-1", "supervisor-1")})
    facts = given.facts.model_copy(update={"admitted": admitted_on.model_copy(update={"people": two})})
    assert decide_release(world.bundle, facts, Tier.PAYLOAD).allowed
    false = climbing.ask_all(world, climbing.recorded(world, given, facts))
    assert_all_refuse(false, VerificationFailed, "none that these rules could have come to")


@pytest.mark.parametrize("reviewer", ["judge-1", "reviewer-1"])
def test_a_judge_is_none_of_the_two_approvers(climbed: Climbed, world: World, reviewer: str) -> None:
    for request in (
        prepared(climbed),
        world.ladder().climb(climbed.sources, gate_world.claims(), [phone(7)]),
    ):
        finding = world.finding_on(request)
        approvals = world.approvals(request, finding, "supervisor-1", reviewer)
        with pytest.raises(RefusedByGate) as caught:
            file(world, request, [finding], approvals)
        assert caught.value.rules == ("L09",), request.payload.tier


def test_a_person_outside_the_roster_says_nothing_about_a_request(climbed: Climbed, world: World) -> None:
    """Nobody but an approver may refuse or take back: else any member could veto, or undo a person's word."""
    request = prepared(climbed)
    finding = world.finding_on(request)
    approval = documents.verify(
        Approval,
        forced(world, request, finding, "prosecutor-1"),
        world.homes["prosecutor-1"].identity.signing_key,
    )
    said: dict[str, ApprovalRefusal | ApprovalWithdrawal] = {
        "refusals": ApprovalRefusal(
            space_id=world.space.space_id,
            request_digest=request.digest,
            approver="prosecutor-1",
            reason="No",
            refused_at=world.now,
        ),
        "withdrawals": ApprovalWithdrawal(
            space_id=world.space.space_id,
            request_digest=request.digest,
            approval_digest=approval.digest,
            approver="prosecutor-1",
            reason="No",
            withdrawn_at=world.now,
        ),
    }
    for name in ("company-1", "judge-1", "auditor-1"):
        for path, statement in said.items():
            signed = documents.sign(statement, world.homes[name].signing_key)
            for origin in (BROKER, *(holder.origin for holder in world.space.holders)):
                with pytest.raises((NotFound, NotPermitted, RemoteUnauthenticated)):
                    world.caller(name).post(
                        f"{origin}/v1/approvals/{path}",
                        DocumentMessage(document=signed.document),
                        ReceiptMessage,
                    )
    world.requester().file(
        request.payload.request_id,
        [finding],
        [approval.document, *world.approvals(request, finding, "supervisor-1")],
    )


def test_the_desk_is_believed_on_its_own_request_only(climbed: Climbed, world: World) -> None:
    """A favourable finding on an earlier request of the case is none on this one."""
    other = prepared(climbed)
    request = prepared(climbed)
    favourable = world.finding_on(other)
    with pytest.raises(VerificationFailed, match="about another request"):
        file(world, request, [favourable], [])
    adverse = world.finding_on(request, purpose=Purpose.SEX_WORK_ENFORCEMENT)
    with pytest.raises(RefusedByGate) as caught:
        file(world, request, [adverse], world.approvals(request, adverse, *climbing.PEOPLE))
    assert request.payload.tier is Tier.SOURCES
    assert "L03" in caught.value.rules
