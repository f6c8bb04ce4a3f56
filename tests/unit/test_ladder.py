"""The ladder in memory: hits, sources, payload, each step by the people who stand behind it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.protocol.errors import BadInput, Conflict, NotPermitted
from broker.protocol.messages.ladder import ReleaseAsk, ReleasedRecord
from broker.protocol.messages.requests import TokensAnswered
from broker.protocol.messages.vocabulary import Authority, PayloadCategory, Tier
from broker.store import ledger
from clients.deposit_changes.taking_back import TakingBack
from clients.depositing.deposit_folder import all_deposits
from clients.remote import RefusedByGate
from clients.requesting.answers import AnswerAwaited
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import Answer
from tests import gate_world
from tests.world import BROKER, NOW, PLAINTEXT, World, phone

pytestmark = pytest.mark.all_only

PAYLOAD: dict[str, Any] = {"highest_tier": Tier.PAYLOAD, "payload_category": PayloadCategory.SUBSCRIBER}
DAY_SECONDS = 86_400
NOBODY_INDEPENDENT: dict[str, Any] = {"basis": gate_world.basis(validated_by=Authority.NONE)}
"""A production order that a prosecutor issued and no judge looked at."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three contributors that let police go up to payload; each test leaves them as they are."""
    made = World(tmp_path_factory.mktemp("ladder"))
    made.deposit("company-1", range(10), **PAYLOAD)
    made.deposit("company-2", range(5, 15), **PAYLOAD)
    made.deposit("ngo-1", range(12, 20), **PAYLOAD)
    yield made
    made.close()


@pytest.fixture
def own_world(tmp_path: Path, database_url: str) -> Iterator[World]:
    """The same on databases of both kinds, for a test that moves the clock or takes something back."""
    made = World(tmp_path, database_url)
    made.deposit("company-1", range(10), **PAYLOAD)
    made.deposit("company-2", range(5, 15), **PAYLOAD)
    made.deposit("ngo-1", range(12, 20), **PAYLOAD)
    yield made
    made.close()


def test_from_hits_to_sources_to_payload(world: World) -> None:
    hits = world.ask([phone(number) for number in (3, 7, 13, 99)])
    assert hits.hits == (phone(3), phone(7), phone(13))
    sources = world.climb(hits.request_id, [phone(3), phone(7)])
    assert sources.tier is Tier.SOURCES
    assert {(each.source.contributor, each.source.contact, each.identifiers) for each in sources.sources} == {
        ("company-1", "company-1@example.org", (phone(3), phone(7))),
        ("company-2", "company-2@example.org", (phone(7),)),
    }
    payload = world.climb(sources.request_id, [phone(7)])
    assert (payload.tier, payload.records) == (Tier.PAYLOAD, 2)
    opened = world.payloads().open(payload.request_id).payloads
    assert {(each.identifier, each.contributor, each.plaintext) for each in opened} == {
        (phone(7), "company-1", PLAINTEXT),
        (phone(7), "company-2", PLAINTEXT),
    }
    assert world.payloads().open(payload.request_id).payloads == opened


def test_each_step_is_in_the_log_and_in_the_holders_and_every_decision_replays(world: World) -> None:
    before = len(world.log_kinds())
    hits = world.ask([phone(2)])
    sources = world.climb(hits.request_id)
    payload = world.climb(sources.request_id)
    world.payloads().open(payload.request_id)
    step = ["ADMITTED", "TOKENS", "RELEASE", "RELEASED"]
    assert world.log_kinds()[before:] == step * 3
    assert world.replay().different == ()


def test_no_holder_evaluates_for_sources(world: World) -> None:
    hits = world.ask([phone(1)])
    evaluated = world.evaluations()
    world.climb(hits.request_id)
    assert world.evaluations() == evaluated


def test_an_ngo_is_asked_before_its_own_record_is_opened_and_sees_which(world: World) -> None:
    hits = world.ask([phone(12)])
    sources = world.climb(hits.request_id)
    request = world.climb_prepared(sources.request_id)
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, "supervisor-1", "prosecutor-1")
    run = (request.payload.request_id, [finding], approvals)
    with pytest.raises(AnswerAwaited) as caught:
        world.requester().run(*run)
    assert caught.value.waiting.contributors == 1
    asked = newest_ask(world)
    assert (asked.requester, asked.payload_category) == ("unit-1", PayloadCategory.SUBSCRIBER)
    world.releasing("ngo-1").answer(asked.permit_id, True, "")
    answer = world.requester().submit(request.payload.request_id)
    assert answer.records == 2
    contributors = {each.contributor for each in world.payloads().open(answer.request_id).payloads}
    assert contributors == {"company-2", "ngo-1"}
    assert "RELEASE_SHOWN" in world.log_kinds()


def test_what_an_ngo_refuses_stays_closed_and_the_others_records_leave(world: World) -> None:
    sources = world.climb(world.ask([phone(13)]).request_id)
    with pytest.raises(AnswerAwaited):
        world.climb(sources.request_id)
    asked = newest_ask(world)
    world.releasing("ngo-1").answer(asked.permit_id, False, "She asked us not to.")
    request_id = newest(world)
    answer = world.requester().submit(request_id)
    assert answer.records == 1
    assert any("L19" in reason for reason in answer.reasons)
    assert {each.contributor for each in world.payloads().open(request_id).payloads} == {"company-2"}


def test_silence_refuses_when_its_time_is_over(own_world: World) -> None:
    sources = own_world.climb(own_world.ask([phone(18)]).request_id)
    long: dict[str, Any] = {"basis": gate_world.basis(valid_until=own_world.now + 30 * DAY_SECONDS)}
    with pytest.raises(AnswerAwaited) as caught:
        own_world.climb(sources.request_id, **long)
    own_world.now = caught.value.waiting.until_at
    with pytest.raises(RefusedByGate) as refused:
        own_world.requester().submit(newest(own_world))
    assert refused.value.rules == ("L19",)


def test_two_approvers_are_asked_for(world: World) -> None:
    hits = world.ask([phone(3)])
    with pytest.raises(RefusedByGate) as caught:
        world.climb(hits.request_id, by=("supervisor-1",))
    assert caught.value.rules == ("L09",)


def test_who_confirmed_the_matches_may_not_approve(world: World) -> None:
    hits = world.ask([phone(3)])
    world.ladder().confirm(hits.request_id, "supervisor-1")
    request = world.ladder().climb(hits.request_id, gate_world.claims())
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, "supervisor-1", "prosecutor-1")
    with pytest.raises(NotPermitted, match="Who confirmed"):
        world.requester().run(request.payload.request_id, [finding], approvals)


def test_a_judge_reviews_and_is_none_of_the_two(world: World) -> None:
    sources = world.climb(world.ask([phone(3)]).request_id)
    for by in (("supervisor-1", "judge-1"), ("supervisor-1", "prosecutor-1")):
        with pytest.raises(RefusedByGate) as caught:
            world.climb(sources.request_id, by=by, **NOBODY_INDEPENDENT)
        assert caught.value.rules == ("L09",)
    everybody = ("supervisor-1", "prosecutor-1", "judge-1")
    assert world.climb(sources.request_id, by=everybody, **NOBODY_INDEPENDENT).records == 1


def test_a_match_that_nobody_confirmed_cannot_be_selected(world: World) -> None:
    hits = world.ask([phone(3), phone(7)])
    world.ladder().confirm(hits.request_id, "officer-1", [phone(3)])
    with pytest.raises(BadInput, match="confirmed"):
        world.ladder().climb(hits.request_id, gate_world.claims(), [phone(7)])
    with pytest.raises(BadInput, match="Only hits"):
        world.ladder().confirm(hits.request_id, "officer-1", [phone(99)])


def test_a_payload_comes_after_sources_and_nothing_after_a_payload(world: World) -> None:
    sources = world.climb(world.ask([phone(3)]).request_id)
    payload = world.climb(sources.request_id)
    world.ladder().confirm(payload.request_id, "officer-1")
    with pytest.raises(Conflict, match="after a payload comes nothing"):
        world.ladder().climb(payload.request_id, gate_world.claims())


def test_a_higher_tier_stays_in_its_case(world: World) -> None:
    hits = world.ask([phone(3)])
    with pytest.raises(BadInput, match="same case"):
        world.climb(hits.request_id, case_reference="CASE-2")


def test_one_cases_ladder_is_charged_once(world: World) -> None:
    hits = world.ask([phone(4), phone(5)])
    with world.broker.database.read() as connection:
        used = charged(connection)
    world.climb(hits.request_id)
    with world.broker.database.read() as connection:
        assert charged(connection) == used


def test_a_crowded_result_leaves_once_a_judge_looked(own_world: World) -> None:
    own_world.deposit("company-1", range(100, 140), **PAYLOAD)
    crowd = [phone(number) for number in range(100, 130)]
    assert own_world.ask(crowd).tier is Tier.COUNT
    prepared = own_world.prepare(crowd)
    finding = own_world.finding(prepared)
    looked = own_world.approvals(prepared.request, finding, "judge-1")
    answer = own_world.requester().run(prepared.request_id, [finding], looked)
    assert (answer.tier, len(answer.hits)) == (Tier.HITS, 30)


def test_an_emergency_owes_a_review_and_without_it_the_route_is_closed(own_world: World) -> None:
    def ask(number: int) -> Answer:
        paper = gate_world.emergency_basis(valid_until=own_world.now + 90 * DAY_SECONDS)
        return own_world.ask([phone(number)], answers={"threat_to_life": True}, basis=paper)

    hits = ask(3)
    sources = own_world.climb(
        hits.request_id,
        by=("supervisor-1",),
        answers={"threat_to_life": True},
        basis=gate_world.emergency_basis(),
    )
    assert sources.tier is Tier.SOURCES
    own_world.now += 14 * DAY_SECONDS + 1
    with pytest.raises(RefusedByGate) as caught:
        ask(4)
    assert caught.value.rules == ("L11",)
    for owed in (hits, sources):
        folder = RequestFolder(own_world.homes["unit-1"].vault, owed.request_id)
        judge = own_world.approver("judge-1")
        judge.review(judge.read(folder.document, folder.findings()), True, "A life was in danger.")
    assert ask(4).hits == (phone(4),)


def test_an_emergency_found_not_justified_closes_the_route(own_world: World) -> None:
    emergency: dict[str, Any] = {"basis": gate_world.emergency_basis()}
    hits = own_world.ask([phone(3)], answers={"threat_to_life": True}, **emergency)
    folder = RequestFolder(own_world.homes["unit-1"].vault, hits.request_id)
    reviewer = own_world.approver("reviewer-1")
    reviewer.review(reviewer.read(folder.document, folder.findings()), False, "Nobody was in danger.")
    own_world.now += 1
    with pytest.raises(RefusedByGate) as caught:
        own_world.ask([phone(4)], answers={"threat_to_life": True}, **emergency)
    assert caught.value.rules == ("L11",)


def test_the_whole_way_and_a_second_call_with_the_same_tokens_on_both_databases(own_world: World) -> None:
    sources = own_world.climb(own_world.ask([phone(3), phone(7)]).request_id)
    payload = own_world.climb(sources.request_id, [phone(7)])
    folder = RequestFolder(own_world.homes["unit-1"].vault, payload.request_id)
    tokens, opening = folder.tokens(), folder.opening()
    assert tokens is not None
    again = own_world.caller("unit-1").post(
        f"{BROKER}/v1/requests/{payload.request_id.hex()}/tokens", tokens.submission, TokensAnswered
    )
    assert again.opening == opening
    assert len(own_world.payloads().open(payload.request_id).payloads) == 2


@pytest.mark.sqlite_only
def test_what_was_released_goes_with_its_deposit_and_the_answer_cannot_be_given_again(
    own_world: World,
) -> None:
    sources = own_world.climb(own_world.ask([phone(3)]).request_id)
    payload = own_world.climb(sources.request_id)
    (record,) = released(own_world, payload.request_id)
    database = Path(own_world.settings.database_url.removeprefix("sqlite:///"))
    stored = [database, database.with_name(database.name + "-wal")]
    assert any(record.sealed in each.read_bytes() for each in stored)
    (deposit,) = all_deposits(own_world.homes["company-1"])
    taking_back = TakingBack(
        own_world.homes["company-1"],
        own_world.caller("company-1"),
        own_world.clock,
        own_world.random("company-1"),
    )
    taking_back.withdraw_deposit(deposit.deposit_id, "The account was not its owner's.")
    assert not any(record.sealed in each.read_bytes() for each in stored)
    folder = RequestFolder(own_world.homes["unit-1"].vault, payload.request_id)
    tokens = folder.tokens()
    assert tokens is not None
    with pytest.raises(Conflict, match="taken back"):
        own_world.caller("unit-1").post(
            f"{BROKER}/v1/requests/{payload.request_id.hex()}/tokens", tokens.submission, TokensAnswered
        )


def released(world: World, request_id: bytes) -> tuple[ReleasedRecord, ...]:
    """The sealed records that came with an answer."""
    opening = RequestFolder(world.homes["unit-1"].vault, request_id).opening()
    assert opening is not None
    return opening.records


def test_one_cases_ladder_is_one_ask_and_finds_its_hits_once(own_world: World) -> None:
    found = used(own_world)
    hits = own_world.ask([phone(7)])
    once = used(own_world)
    sources = own_world.climb(hits.request_id)
    own_world.climb(sources.request_id)
    assert used(own_world) == once
    assert (once.identifiers_30d, once.hits_90d) == (found.identifiers_30d + 1, found.hits_90d + 2)
    # A ladder of three steps weighs on its target as the ask with which it began.
    for _ in range(own_world.bundle.limits.target_asks - 1):
        assert own_world.ask([phone(7)]).hits == (phone(7),)
    with pytest.raises(RefusedByGate) as caught:
        own_world.ask([phone(7)])
    assert caught.value.rules == ("L10a",)
    # What was found before may be gone on with: its ladder is no ask of its own.
    assert own_world.climb(hits.request_id).tier is Tier.SOURCES


def newest_ask(world: World) -> ReleaseAsk:
    """What the NGO was asked last and has not answered."""
    return next(each for each in world.releasing("ngo-1").asks() if not each.answered)


def newest(world: World) -> bytes:
    """The request prepared last."""
    folders = (world.folder / "unit-1" / "requests").iterdir()
    return bytes.fromhex(max(folders, key=lambda folder: folder.stat().st_mtime_ns).name)


def used(world: World) -> ledger.Usage:
    """What the unit used up so far."""
    with world.broker.database.read() as connection:
        return ledger.usage(connection, world.space.space_id, "unit-1", NOW)


def charged(connection: Any) -> int:
    """What the unit is charged so far."""
    (space_id,) = {row.space_id for row in connection.exec_driver_sql("SELECT space_id FROM ledger")}
    return ledger.usage(connection, space_id, "unit-1", NOW).identifiers_30d
