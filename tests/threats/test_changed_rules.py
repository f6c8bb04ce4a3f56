"""Rules that change while a request is under way: what both allow is opened, and nothing else, whatever a broker says.

A request for payloads is admitted under earlier rules, which are then changed at the broker and at every key holder.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from broker.gate.bundle import load
from broker.gate.decide import decide_again, decide_release
from broker.gate.decision import Decision, SeriesVerdict
from broker.gate.ruling import CHANGED
from broker.protocol.errors import Conflict, NarrowgateError, VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.vocabulary import Outcome, Tier
from clients.keyholder import activation
from clients.keyholder.checks import CHANGED_RULES
from clients.remote import RefusedByGate
from tests import rules
from tests.databases import Databases
from tests.threats import climbing
from tests.threats.climbing import Climbed, Papers
from tests.world import NOW, World, phone

pytestmark = pytest.mark.all_only

NO_PAYLOAD = 'context.tier == "payload"'


@dataclass(frozen=True)
class Changed:
    """A payload that was asked for under the project's rules and answered under others that allow it, too."""

    climbed: Climbed
    papers: Papers
    reasons: tuple[str, ...]


def admitted_payload(world: World) -> tuple[Climbed, bytes]:
    """Everything up to the admission of a request for the payload of phone(7)."""
    for name, numbers in (("company-1", range(10)), ("company-2", range(5, 15)), ("ngo-1", range(12, 20))):
        world.deposit(name, numbers, **climbing.PAYLOAD)
    hits = world.ask([phone(number) for number in (3, 7, 13)])
    sources = world.climb(hits.request_id, [phone(3), phone(7)])
    request = world.climb_prepared(sources.request_id, [phone(7)])
    finding, request_id = world.finding_on(request), request.payload.request_id
    approvals = world.approvals(request, finding, *climbing.PEOPLE)
    world.requester().file(request_id, [finding], approvals)
    world.requester().evaluate(request_id)
    return Climbed(world, hits.request_id, sources.request_id, request_id), request_id


def other_rules(folder: Path, world: World, change: str | None = None, valid_from: int = NOW - 600) -> Path:
    """Rules that follow those in force: the same under another digest, or with one more that refuses releases."""
    if change is None:
        source = rules.changed_rules(folder, lambda text: text + f"# valid from {valid_from}\n")
    else:
        source = rules.forbidding(folder, "release", change)
    return rules.sign_rules(source, valid_from, world.bundle.digest)


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Changed]:
    """No test changes the rules of it."""
    folder = tmp_path_factory.mktemp("changed")
    world = World(folder, databases.new(folder))
    climbed, request_id = admitted_payload(world)
    world.change_rules(other_rules(folder / "new", world))
    answer = world.requester().submit(request_id)
    yield Changed(climbed, climbing.papers_of(climbed), answer.reasons)
    world.close()


@pytest.fixture
def world(changed: Changed) -> World:
    return changed.climbed.world


def earlier_of(given: Papers) -> Decision:
    """The decision under the earlier rules in a record."""
    assert given.record.earlier_decision is not None
    return decode(Decision, given.record.earlier_decision.encode())


def with_earlier(given: Papers, decision: Decision) -> Papers:
    """The same papers, with another decision under the earlier rules in the record."""
    return replace(given, record=given.record.model_copy(update={"earlier_decision": decision.text}))


def refused_by_all(world: World, given: Papers, error: type[NarrowgateError], words: str) -> None:
    before = climbing.openings(world)
    for x, outcome in climbing.ask_all(world, given).items():
        assert isinstance(outcome, error), f"holder {x}: {outcome!r}"
        assert words in str(outcome)
    assert climbing.openings(world) == before


def test_what_both_rules_allow_is_opened_and_the_requester_is_told_that_they_changed(
    changed: Changed,
) -> None:
    """`papers_of` opened it, by t key holders that decided under both."""
    assert CHANGED in changed.reasons
    earlier, decision = earlier_of(changed.papers), decode(Decision, changed.papers.record.decision.encode())
    assert (earlier.outcome, decision.outcome) == (Outcome.ALLOW, Outcome.ALLOW)
    assert earlier.bundle_digest != decision.bundle_digest
    report = changed.climbed.world.replay()
    assert (report.decisions, report.different, report.missing) == (report.same, (), ())


def test_the_same_papers_recorded_once_more_are_answered(world: World, changed: Changed) -> None:
    given = climbing.recorded(world, changed.papers)
    assert not [each for each in climbing.ask_all(world, given).values() if isinstance(each, Exception)]


def test_a_broker_that_makes_up_what_the_earlier_rules_said_opens_nothing(
    world: World, changed: Changed
) -> None:
    """The honest earlier decision says why it allows; this one says so without a reason."""
    earlier = earlier_of(changed.papers)
    verdicts = tuple(
        SeriesVerdict(series_id=each.series_id, outcome=Outcome.ALLOW, rules=("G1a",), missed=())
        for each in earlier.series
    )
    made_up = earlier.model_copy(update={"rules": ("G1a",), "series": verdicts})
    given = climbing.recorded(world, with_earlier(changed.papers, made_up))
    refused_by_all(world, given, VerificationFailed, "not what the earlier rules come to")


def test_an_earlier_decision_about_another_release_opens_nothing(world: World, changed: Changed) -> None:
    earlier = earlier_of(changed.papers)
    facts: Any = earlier.facts
    result = facts.result.model_copy(update={"hits": facts.result.hits + 1})
    other = facts.model_copy(update={"result": result})
    again = decide_again(world.bundles[earlier.bundle_digest], earlier.model_copy(update={"facts": other}))
    given = climbing.recorded(world, with_earlier(changed.papers, again))
    refused_by_all(world, given, VerificationFailed, "not about the same")


def test_earlier_rules_that_no_operator_ever_put_in_force_open_nothing(
    world: World, changed: Changed, tmp_path: Path
) -> None:
    """A broker cannot choose the earlier rules among any that somebody wrote."""
    strange = load(rules.changed_rules(tmp_path / "strange", lambda text: text + "# nobody's\n"))
    facts: Any = earlier_of(changed.papers).facts
    given = with_earlier(changed.papers, decide_release(strange, facts, Tier.PAYLOAD))
    refused_by_all(world, climbing.recorded(world, given), Conflict, "never put in force")


def test_earlier_rules_that_refuse_open_nothing_though_the_broker_gave_a_permit(
    world: World, changed: Changed
) -> None:
    earlier = earlier_of(changed.papers)
    facts: Any = earlier.facts
    alone = changed.papers.facts
    people = alone.admitted.people.model_copy(update={"approvers": ()})
    unapproved = facts.model_copy(update={"admitted": facts.admitted.model_copy(update={"people": people})})
    denied = decide_release(world.bundles[earlier.bundle_digest], unapproved, Tier.PAYLOAD)
    assert not denied.allowed
    allowed = decide_release(world.bundle, unapproved, Tier.PAYLOAD)
    written = allowed.model_copy(update={"outcome": Outcome.ALLOW, "series": earlier.series})
    given = climbing.recorded(world, with_earlier(changed.papers, denied), facts=unapproved, decision=written)
    refused_by_all(world, given, NarrowgateError, "")


def test_an_auditor_finds_a_release_that_was_decided_under_one_of_two_rules(
    world: World, changed: Changed
) -> None:
    """A broker that leaves the earlier decision out of its record shows so in its log."""
    bare = replace(changed.papers, record=changed.papers.record.model_copy(update={"earlier_decision": None}))
    climbing.recorded(world, bare)
    assert "not decided under the earlier ones" in " ".join(each.reason for each in world.replay().different)


def test_rules_changed_after_the_second_permit_keep_what_they_refuse_closed(
    tmp_path: Path, databases: Databases
) -> None:
    """At the broker everything was in order; each key holder asks the rules its operator has in force by now."""
    world = World(tmp_path, databases.new(tmp_path))
    try:
        _, request_id = admitted_payload(world)
        world.requester().submit(request_id)
        source = other_rules(tmp_path / "new", world, NO_PAYLOAD)
        for x in (1, 2):
            activation.activate(world.holders[x], source)
        before = climbing.openings(world)
        with pytest.raises(RefusedByGate, match="Holder 1 and Holder 2 decided again") as refused:
            world.payloads().open(request_id)
        assert any(CHANGED_RULES in reason for reason in refused.value.reasons)
        # The third would answer, and is one of two that it takes.
        assert climbing.openings(world) <= before + 1
    finally:
        world.close()


def test_a_release_that_new_rules_refuse_gives_no_second_permit(tmp_path: Path, databases: Databases) -> None:
    world = World(tmp_path, databases.new(tmp_path))
    try:
        climbed, request_id = admitted_payload(world)
        world.change_rules(other_rules(tmp_path / "new", world, NO_PAYLOAD))
        with pytest.raises(RefusedByGate) as refused:
            world.requester().submit(request_id)
        assert refused.value.rules == (rules.FORBIDDEN,)
        assert CHANGED in refused.value.notes
        assert climbed.folder(request_id).opening() is None
        assert world.replay().different == ()
    finally:
        world.close()
