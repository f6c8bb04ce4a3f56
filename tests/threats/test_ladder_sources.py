"""Requester and broker together try to skip the sources, or to date them anew, on the way to a payload.

A disclosure is the broker's word. Key holders open the record of the sources' own release and decide it again, on the
papers that stood behind it: so nothing the two write down makes a step that was never taken (decision 0011).
"""

from dataclasses import replace
from typing import Any

import pytest

from broker.gate.decide import decide_release
from broker.gate.decision import Decision, SeriesVerdict
from broker.gate.facts import People, ReleaseFacts
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.ladder import Selection
from broker.protocol.messages.vocabulary import Outcome, Tier
from tests import gate_world
from tests.threats import climbing
from tests.threats.climbing import DAY_SECONDS, Climbed, Papers, days_later, refused
from tests.threats.colluding import assert_all_answer
from tests.world import World


@pytest.fixture(scope="module")
def world(climbed: Climbed) -> World:
    return climbed.world


@pytest.fixture(scope="module")
def honest(climbed: Climbed) -> Papers:
    return climbing.papers_of(climbed)


def sources_facts(world: World, honest: Papers, **admitted: Any) -> ReleaseFacts:
    """What the sources were decided on, as of now, with changes."""
    facts = decode(Decision, climbing.sources_record(world, honest).decision.encode()).facts
    assert isinstance(facts, ReleaseFacts)
    changed = facts.admitted.model_copy(update=admitted)
    return facts.model_copy(update={"now": world.now, "admitted": changed})


def test_sources_decided_once_more_as_honestly_lead_on(world: World, honest: Papers) -> None:
    decision = decide_release(world.bundle, sources_facts(world, honest), Tier.SOURCES)
    again = climbing.sources_decided(world, honest, decision)
    assert_all_answer(climbing.ask_all(world, climbing.recorded(world, again)))


def test_hits_that_the_broker_signs_as_sources_lead_to_no_payload(
    climbed: Climbed, world: World, honest: Papers
) -> None:
    """The step `sources` is skipped, with the approvals that it needs: the broker says few could answer (L21)."""
    selected = (Selection(identifier_type="phone", indices=(1,)),)
    hits = honest.earlier[1]
    as_sources = climbing.step_with(world, hits, lambda told: told.model_copy(update={"tier": Tier.SOURCES}))
    given = climbing.requested(
        world,
        replace(honest, earlier=(as_sources,), paths=honest.paths[1:]),
        earlier_request=climbed.hits,
        selected=selected,
    )
    papers = climbed.folder(climbed.hits)
    before = honest.before.model_copy(update={"findings": papers.findings(), "approvals": ()})
    given = climbing.recorded(world, replace(given, before=before))
    refused(world, given, VerificationFailed, "told more than was decided")


def test_sources_without_approvers_lead_to_no_payload(world: World, honest: Papers) -> None:
    facts = sources_facts(world, honest, people=People())
    denied = decide_release(world.bundle, facts, Tier.SOURCES)
    assert "L09" in denied.rules
    verdicts = tuple(
        SeriesVerdict(series_id=one.series_id, outcome=Outcome.ALLOW, rules=("G2",), missed=())
        for one in denied.series
    )
    written = denied.model_copy(update={"outcome": Outcome.ALLOW, "rules": ("G2",), "series": verdicts})
    given = climbing.recorded(world, climbing.sources_decided(world, honest, written))
    refused(world, given, VerificationFailed, "what the broker decided of an earlier step")


def test_approvers_of_the_sources_that_never_signed_lead_to_no_payload(world: World, honest: Papers) -> None:
    people = People(approvers=("prosecutor-1", "somebody-else"))
    decision = decide_release(world.bundle, sources_facts(world, honest, people=people), Tier.SOURCES)
    assert decision.allowed
    given = climbing.recorded(world, climbing.sources_decided(world, honest, decision))
    refused(world, given, VerificationFailed, "not so: people")
    kept = replace(honest, before=honest.before.model_copy(update={"approvals": ()}))
    refused(world, climbing.recorded(world, kept), VerificationFailed, "not so: people")


def test_a_sources_record_is_of_one_disclosure(climbed: Climbed, world: World, honest: Papers) -> None:
    """The payload's own RELEASE record in the place of the sources': it is not the one in the log there."""
    given = climbing.recorded(world, honest)
    refused(
        world,
        replace(given, sealed_before=given.sealed),
        VerificationFailed,
        "do not give the digest in the log leaf",
    )


def test_old_sources_grow_no_younger_by_a_second_release(world: World, honest: Papers) -> None:
    """The broker releases the same admission once more, 31 days on, and dates the step by that."""
    with days_later(world, 31):
        valid = gate_world.basis(valid_until=world.now + DAY_SECONDS)
        decided = decode(Decision, climbing.sources_record(world, honest).decision.encode())
        facts = decided.facts.model_copy(update={"now": world.now})
        anew = climbing.sources_decided(world, honest, decided.model_copy(update={"facts": facts}))
        fresh = climbing.requested(world, anew, claims=gate_world.claims(basis=valid))
        assert decide_release(world.bundle, fresh.facts, Tier.PAYLOAD).allowed
        given = climbing.recorded(world, fresh)
        refused(world, given, VerificationFailed, "at another time than it was recorded")
