"""The prover's formulas are compared with the engine itself, rule by rule, on random requests: what is proved of the
formulas is worth as much as this."""

import json
import random
from collections.abc import Iterator
from typing import Any

import cedarpy
import pytest

from broker.gate import question
from broker.gate.bundle import Bundle, load, policy_set
from broker.gate.decide import Case, decide_case
from broker.gate.decision import Action
from broker.gate.facts import AdmitFacts
from broker.gate.lint import Policy
from broker.gate.proving.space import Space
from broker.protocol.messages.vocabulary import ContributorAnswer, Tier
from tests.gate_world import BUNDLE
from tests.pinned_facts import Pinned
from tests.random_facts import random_case

Rules = dict[str, Policy]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.fixture(scope="module")
def space(bundle: Bundle) -> Space:
    return Space([bundle])


def by_engine(bundle: Bundle, action: str, entities: list[Any], context: Any, rules: Rules) -> tuple[set[str], set[str]]:
    """The rules that apply, and those that err: each as a permit, so that none hides another."""
    request = {
        "principal": entities[0]["uid"],
        "action": {"type": "Narrowgate::Action", "id": action},
        "resource": entities[1]["uid"],
        "context": context,
    }
    known = cedarpy.Entities.from_json_str(json.dumps(entities), schema=bundle.schema)
    permits = policy_set({name: {**policy, "effect": "permit"} for name, policy in rules.items()})
    answer = cedarpy.is_authorized(request, permits, known, bundle.schema)
    assert answer.decision is not cedarpy.Decision.NoDecision
    said = " ".join(answer.diagnostics.errors)
    return set(answer.diagnostics.reasons), {name for name in rules if f"`{name}`" in said}


def compare(bundle: Bundle, space: Space, case: Case, rules: Rules, tier: Tier) -> set[str]:
    """Every rule applies and errs in the formulas as it does in the engine. Returns those that applied or erred."""
    pinned = Pinned(space.facts)
    action, entities, context = asked(bundle, pinned, space, case, tier)
    applied, erred = by_engine(bundle, action, entities, context, rules)
    readings = {name: space.verdicts[0].reading(action, policy) for name, policy in rules.items()}
    assert {name for name, reading in readings.items() if pinned.holds(reading.holds)} == applied
    assert {name for name, reading in readings.items() if pinned.holds(reading.errs)} == erred
    return applied | {f"{name} errs" for name in erred}


def asked(
    bundle: Bundle, pinned: Pinned, space: Space, case: Case, tier: Tier
) -> tuple[Action, list[Any], dict[str, Any]]:
    """The real question of a case about its first series, and the same facts pinned."""
    if case.deposit is not None:
        facts = case.deposit
        pinned.put_deposit(facts)
        entities = question.entities(
            facts.contributor, facts.declaration_digest, facts.contributor, facts.identifier_type, facts.conditions
        )
        return "deposit", entities, question.deposit_context(bundle, facts)
    action: Action = "admit" if case.admit is not None else "release"
    request = first_facts(case)
    series = request.series[0]
    pinned.put_request(request, series)
    escalated = tier is Tier.SOURCES and request.tier in (Tier.COUNT, Tier.HITS)
    pinned.put_tier(space.verdicts[0].asked[action], tier, escalated=escalated)
    result, answer, now = None, ContributorAnswer.NOT_ASKED, request.now
    if case.release is not None:
        result, answer, now = case.release.result, case.release.answer_of(series.series_id), case.release.now
        pinned.put_result(result, answer)
        pinned.put(space.facts.request.facts["now"].value.term, now)
    context = question.matching_context(bundle, request, series, tier, now, result, answer)
    entities = question.entities(
        request.requester, series.series_id, series.contributor, series.identifier_type, series.conditions
    )
    return action, entities, context


def first_facts(case: Case) -> AdmitFacts:
    found = case.admit or (case.release.admitted if case.release else None)
    assert found is not None
    return found


def cases(seed: int, number: int) -> Iterator[tuple[Case, Tier]]:
    dice = random.Random(seed)
    while number:
        case = random_case(dice)
        if case.deposit is None and not first_facts(case).series:
            continue
        number -= 1
        yield case, dice.choice(list(Tier))


def test_every_rule_applies_in_the_formulas_where_it_applies_in_the_engine(bundle: Bundle, space: Space) -> None:
    seen = set[str]()
    for case, tier in cases(1, 400):
        seen |= compare(bundle, space, case, dict(bundle.syntax), tier)
    assert set(bundle.syntax) <= seen
