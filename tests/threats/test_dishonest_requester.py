"""A requester that wants more than its permit: other identifiers, more tokens, a second use, a false purpose."""

from collections.abc import Callable
from typing import Any

import pytest

from broker.protocol import documents, oprf
from broker.protocol.errors import (
    BadInput,
    Conflict,
    Expired,
    NarrowgateError,
    NotFound,
    NotPermitted,
    VerificationFailed,
)
from broker.protocol.group import split_elements
from broker.protocol.messages.base import read
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.messages.outcomes import OutcomeEntry, OutcomeReport, OutcomeSubmission, entries_digest
from broker.protocol.messages.requests import (
    Admission,
    Batch,
    Disclosure,
    Finding,
    RequestSubmission,
    TokenSubmission,
    batch_root,
)
from broker.protocol.messages.vocabulary import MatchOutcome, Purpose
from clients.remote import RefusedByGate
from clients.requester import PreparedRequest
from tests.threats import colluding
from tests.world import BROKER, POLICE, World, phone

ASKED = [phone(3), phone(7), phone(500)]
Change = Callable[[bytes], bytes]


def blinded(text: bytes) -> bytes:
    """A point of the requester's own choice."""
    return oprf.blind_with(text, (1).to_bytes(32, "little")).blinded_element


@pytest.mark.parametrize(
    ("change", "problem", "words"),
    [
        (lambda points: blinded(b"a guess") + points[32:], VerificationFailed, "points are not those"),
        (lambda points: points + blinded(b"a guess"), VerificationFailed, "points are not those"),
        (lambda points: points[:-32], VerificationFailed, "points are not those"),
        (
            lambda points: points[32:64] + points[:32] + points[64:],
            VerificationFailed,
            "points are not those",
        ),
        (lambda points: points[:-1], BadInput, "cut short"),
    ],
    ids=["another", "one more", "one fewer", "another order", "cut short"],
)
def test_a_permit_is_for_exactly_the_points_it_was_given_for(
    world: World, change: Change, problem: type[NarrowgateError], words: str
) -> None:
    papers = colluding.admitted(world, ASKED)
    before = world.evaluations()
    outcomes = colluding.ask_all(world, papers, points=change(papers.points))
    colluding.assert_all_refuse(outcomes, problem, words)
    assert world.evaluations() == before
    colluding.assert_all_answer(colluding.ask_all(world, papers))
    # And once the right points were evaluated under it, others are refused still.
    outcomes = colluding.ask_all(world, papers, points=change(papers.points))
    colluding.assert_all_refuse(outcomes, problem, words)


def test_a_permit_is_no_use_when_its_time_is_over(world: World) -> None:
    papers, begun = colluding.admitted(world, ASKED), world.now
    tokens = colluding.tokens_for(world, papers, [])
    try:
        world.now = papers.permit(world).payload.terms.expires_at
        colluding.assert_all_refuse(colluding.ask_all(world, papers), Expired, "time is over")
        with pytest.raises(Expired):
            colluding.send_tokens(world, papers, tokens)
        world.now -= 1
        colluding.assert_all_answer(colluding.ask_all(world, papers))
    finally:
        world.now = begun


def test_nobody_else_can_use_a_permit(world: World) -> None:
    papers = colluding.admitted(world, ASKED)
    tokens = colluding.tokens_for(world, papers, [])
    for thief in ("company-1", "ngo-1"):
        stolen = colluding.ask_all(world, papers, caller=world.caller(thief))
        colluding.assert_all_refuse(stolen, NotPermitted, "another party's")
        with pytest.raises(NotFound):
            colluding.send_tokens(world, papers, tokens, thief)
    outsider = colluding.ask_all(world, papers, caller=world.caller("desk-1"))
    colluding.assert_all_refuse(outsider, NarrowgateError, "signature")


def test_tokens_beyond_the_permit_are_refused_and_do_not_use_it_up(world: World) -> None:
    papers = colluding.admitted(world, ASKED)
    good = colluding.tokens_for(world, papers, [bytes([n]) * 16 for n in range(3)])
    too_many = colluding.tokens_for(world, papers, [bytes([n]) * 16 for n in range(4)])
    foreign = good.model_copy(
        update={"lists": (*good.lists[:-1], good.lists[-1].model_copy(update={"deposit_id": bytes(32)}))}
    )
    of_another = good.model_copy(
        update={"permit_id": colluding.admitted(world, ASKED).permit(world).payload.terms.permit_id}
    )
    kinds = world.log_kinds()
    for submission in (too_many, foreign, of_another, good.model_copy(update={"lists": good.lists[1:]})):
        with pytest.raises(NotPermitted):
            colluding.send_tokens(world, papers, submission)
    assert world.log_kinds() == kinds
    assert colluding.send_tokens(world, papers, good)
    assert world.log_kinds() == [*kinds, "TOKENS", "RELEASE", "RELEASED"]


def test_a_permit_is_used_once_and_a_repeat_tells_nothing_new(world: World) -> None:
    papers = colluding.admitted(world, ASKED)
    first = colluding.tokens_for(world, papers, [bytes([n]) * 16 for n in range(3)])
    told = colluding.send_tokens(world, papers, first)
    kinds = world.log_kinds()
    others = colluding.tokens_for(world, papers, [bytes([n]) * 16 for n in range(4, 7)])
    for submission in (others, first.model_copy(update={"nonce": bytes([1]) * 32})):
        with pytest.raises(Conflict, match="Other tokens were sent"):
            colluding.send_tokens(world, papers, submission)
    assert colluding.send_tokens(world, papers, first) == told
    assert world.log_kinds() == [*kinds, "DISCLOSURE_READ"]


def test_tokens_of_one_deposit_are_of_no_use_at_another(world: World) -> None:
    prepared = world.prepare([phone(7)])
    assert world.requester().run(prepared.request_id, [world.finding(prepared)]).hits == (phone(7),)
    kept = read(TokenSubmission, world.wire.seen(BROKER, "/v1/requests/")[-1].call.body).lists
    assert len(kept) == 3
    right = {item.deposit_id: item.tokens for item in kept}
    crossed = {item.deposit_id: kept[place - 1].tokens for place, item in enumerate(kept)}
    # company-1 and company-2 hold phone(7). That kept tokens still match later is a stated limit.
    for tokens, matches in ((crossed, 0), (right, 2)):
        papers = colluding.admitted(world, [phone(900)])
        empty = colluding.tokens_for(world, papers, [])
        lists = tuple(item.model_copy(update={"tokens": tokens[item.deposit_id]}) for item in empty.lists)
        document = colluding.send_tokens(world, papers, empty.model_copy(update={"lists": lists}))
        disclosed = documents.verify(Disclosure, document, world.space.broker_signing_key).payload
        assert len(disclosed.matched) == matches


# --- papers ---


def test_a_finding_about_another_request_is_refused_at_every_station(world: World) -> None:
    other, prepared = world.prepare([phone(1)]), world.prepare(ASKED)
    foreign, own = world.finding(other), world.finding(prepared)
    with pytest.raises(VerificationFailed, match="another request"):
        world.requester().file(prepared.request_id, [foreign])
    for findings in ([foreign], [own, foreign]):
        with pytest.raises(VerificationFailed, match="another request"):
            colluding.file(world, prepared, findings)
    papers = colluding.file(world, prepared, [own])
    outcomes = colluding.ask_all(world, papers, findings=(foreign,))
    colluding.assert_all_refuse(outcomes, VerificationFailed, "another request")
    colluding.assert_all_answer(colluding.ask_all(world, papers))


def test_a_requester_cannot_find_for_itself(world: World) -> None:
    prepared = world.prepare(ASKED)
    own = documents.verify(
        Finding, world.finding(prepared), documents.public_bytes(world.homes["desk-1"].signing_key)
    )
    forged = documents.sign(own.payload, world.homes[POLICE].signing_key).document
    with pytest.raises(VerificationFailed):
        world.requester().file(prepared.request_id, [forged])
    with pytest.raises(VerificationFailed):
        colluding.file(world, prepared, [forged])
    papers = colluding.file(world, prepared, [own.document])
    outcomes = colluding.ask_all(world, papers, findings=(forged,))
    colluding.assert_all_refuse(outcomes, VerificationFailed, "may not sign")


@pytest.mark.parametrize(
    ("claims", "answers", "rule"),
    [
        ({}, {"purpose": Purpose.IMMIGRATION_ENFORCEMENT}, "L03"),
        ({}, {"purpose": Purpose.IDENTIFY_VICTIM}, "L20"),
        ({"purpose": Purpose.PROSECUTE_VICTIM}, {}, "L03"),
        ({"purpose": Purpose.SEX_WORK_ENFORCEMENT}, {"purpose": Purpose.INVESTIGATE_TRAFFICKER}, "L03"),
        ({"purpose": Purpose.GENERAL_INTELLIGENCE}, {}, "L13"),
    ],
    ids=["hidden behind a good one", "another good one", "stated", "found better than stated", "no case"],
)
def test_another_purpose_than_the_papers_show_is_refused(
    world: World, claims: dict[str, Any], answers: dict[str, Any], rule: str
) -> None:
    before = world.evaluations()
    with pytest.raises(RefusedByGate) as refused:
        world.ask(ASKED, answers=answers, **claims)
    assert rule in refused.value.rules
    assert world.evaluations() == before


def test_all_contacts_of_a_telephone_are_no_request(fresh_world: World) -> None:
    contacts = [phone(number) for number in range(100, 601)]
    for identifiers, months, admitted in (
        (contacts[:21], 36, False),
        (contacts[:20], 36, True),
        (contacts, 144, False),
        (contacts[:-1], 144, True),
    ):
        prepared = fresh_world.prepare(identifiers, maximum_penalty_months=months)
        finding = fresh_world.finding(prepared)
        if admitted:
            assert colluding.file(fresh_world, prepared, [finding])
        else:
            with pytest.raises(RefusedByGate) as refused:
                colluding.file(fresh_world, prepared, [finding])
            assert refused.value.rules == ("L06",)


def test_guesses_hidden_behind_one_identifier_are_counted(world: World) -> None:
    honest = world.prepare([phone(3), phone(7)])
    points = split_elements(colluding.points_of(world, honest))
    for identifiers, admitted in ((1, False), (2, True)):
        batch = Batch(
            identifier_type="phone",
            identifiers=identifiers,
            points=len(points),
            batch_root=batch_root(points),
        )
        request = honest.request.payload.model_copy(
            update={"batches": (batch,), "request_id": bytes([identifiers]) * 16}
        )
        prepared = PreparedRequest(documents.sign(request, world.homes[POLICE].signing_key))
        submission = RequestSubmission(request=prepared.document, findings=(world.finding(prepared),))
        if admitted:
            assert world.caller(POLICE).post(f"{BROKER}/v1/requests", submission, Admission).series
        else:
            with pytest.raises(RefusedByGate) as refused:
                world.caller(POLICE).post(f"{BROKER}/v1/requests", submission, Admission)
            assert refused.value.rules == ("L06",)


# --- outcomes ---


def outcome(world: World, request_id: bytes, matches: list[tuple[bytes, bytes]]) -> OutcomeSubmission:
    """A report, signed by the requester over its own answer, that these matches (deposit_id, token) were useful."""
    entries = tuple(
        OutcomeEntry(deposit_id=deposit_id, token=token, outcome=MatchOutcome.USEFUL)
        for deposit_id, token in sorted(matches)
    )
    home = world.homes[POLICE]
    told = documents.verify(
        Disclosure,
        home.vault.read_text(f"requests/{request_id.hex()}/disclosure.jws"),
        world.space.broker_signing_key,
    )
    report = OutcomeReport(
        request_id=request_id,
        requester=POLICE,
        disclosure_digest=told.digest,
        number=1,
        entries_digest=entries_digest(bytes(32), entries),
        useful=len(entries),
        false_match=0,
        victim_identified=0,
        not_yet_known=0,
        reported_at=world.now,
    )
    document = documents.sign(report, home.signing_key).document
    return OutcomeSubmission(document=document, nonce=bytes(32), entries=entries)


def test_an_outcome_is_reported_on_no_token_that_was_not_disclosed(world: World) -> None:
    """Else a requester could try tokens on the broker by whether it takes a report on them."""
    answer, other = world.ask(ASKED), world.ask([phone(1), phone(14)])
    url = f"{BROKER}/v1/requests/{answer.request_id.hex()}/outcome"
    caller, before = world.caller(POLICE), world.log_kinds()
    own = [(each.deposit_id, each.token) for each in answer.hit_tokens]
    elsewhere = [(each.deposit_id, each.token) for each in other.hit_tokens]
    sent = [each for passed in world.wire.seen(BROKER, url.removeprefix(BROKER).replace("outcome", "tokens"))
            for each in read(TokenSubmission, passed.call.body).lists]  # fmt: skip
    unmatched = next(
        (item.deposit_id, item.tokens[:16]) for item in sent if (item.deposit_id, item.tokens[:16]) not in own
    )
    for false in (elsewhere, [*own, elsewhere[0]], [unmatched], [(own[0][0], bytes(16))]):
        with pytest.raises(NotPermitted) as refused:
            caller.post(url, outcome(world, answer.request_id, false), ReceiptMessage)
        assert not any(token.hex() in str(refused.value) for _, token in false)
    assert world.log_kinds() == before
    caller.post(url, outcome(world, answer.request_id, own), ReceiptMessage)


def test_an_outcome_is_reported_by_the_requester_alone(world: World) -> None:
    answer = world.ask(ASKED)
    sent = outcome(world, answer.request_id, [(each.deposit_id, each.token) for each in answer.hit_tokens])
    url = f"{BROKER}/v1/requests/{answer.request_id.hex()}/outcome"
    for other in ("company-1", "auditor-1"):
        with pytest.raises((VerificationFailed, NotFound)):
            world.caller(other).post(url, sent, ReceiptMessage)
        report = documents.verify(
            OutcomeReport, sent.document, world.homes[POLICE].identity.signing_key
        ).payload
        own = documents.sign(report, world.homes[other].signing_key).document
        with pytest.raises(NotFound):
            world.caller(other).post(url, sent.model_copy(update={"document": own}), ReceiptMessage)
