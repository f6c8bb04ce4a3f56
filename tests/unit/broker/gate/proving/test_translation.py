"""The prover's formulas are compared with the engine itself, rule by rule, on random requests: what is proved of the
formulas is worth as much as this."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import cedarpy
import pytest
import z3

from broker.gate import lint, question
from broker.gate.bundle import Bundle, load, policy_set
from broker.gate.decide import Case, decide_case
from broker.gate.decision import Action
from broker.gate.facts import AdmitFacts, SeriesAnswer
from broker.gate.lint import Policy
from broker.gate.proving.shape import term_of
from broker.gate.proving.space import Space
from broker.gate.proving.values import Entity
from broker.gate.proving.verdict import ACTIONS
from broker.gate.proving.witness import case_of
from broker.protocol.messages.base import read
from broker.protocol.messages.vocabulary import ContributorAnswer, Tier
from tests.gate_world import BUNDLE
from tests.pinned_facts import Pinned
from tests.random_expressions import truth
from tests.random_facts import SCENARIOS, random_case

pytestmark = pytest.mark.all_only

Rules = dict[str, Policy]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.fixture(scope="module")
def space(bundle: Bundle) -> Space:
    return Space([bundle])


def engine_rules(rules: Rules) -> cedarpy.PolicySet:
    """Each rule as a permit, so that none hides another."""
    return policy_set({name: {**policy, "effect": "permit"} for name, policy in rules.items()})


def by_engine(
    bundle: Bundle,
    question: tuple[Action, list[Any], dict[str, Any]],
    permits: cedarpy.PolicySet,
    rules: Rules,
) -> tuple[set[str], set[str]]:
    """The rules that apply, and those that err."""
    action, entities, context = question
    request = {
        "principal": entities[0]["uid"],
        "action": {"type": "Narrowgate::Action", "id": action},
        "resource": entities[1]["uid"],
        "context": context,
    }
    known = cedarpy.Entities.from_json_str(json.dumps(entities), schema=bundle.schema)
    answer = cedarpy.is_authorized(request, permits, known, bundle.schema)
    assert answer.decision is not cedarpy.Decision.NoDecision
    said = " ".join(answer.diagnostics.errors)
    return set(answer.diagnostics.reasons), {name for name in rules if f"`{name}`" in said}


def compare(
    bundle: Bundle, space: Space, case: Case, tier: Tier, rules: Rules, permits: cedarpy.PolicySet
) -> set[str]:
    """Every rule applies and errs in the formulas as it does in the engine. Returns those that applied or erred."""
    action: Action = "deposit" if case.deposit else "admit" if case.admit else "release"
    # Read first: a word that a rule writes out is then known, and is not one of the others.
    readings = {name: space.verdicts[0].reading(action, policy) for name, policy in rules.items()}
    pinned = Pinned(space.facts)
    real = asked(bundle, pinned, space, case, tier)
    applied, erred = by_engine(bundle, real, permits, rules)
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
            facts.contributor,
            facts.declaration_digest,
            facts.contributor,
            facts.identifier_type,
            facts.conditions,
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
        pinned.put(term_of(space.facts.request.facts["now"]), now)
    context = question.matching_context(bundle, request, series, tier, now, result, answer)
    entities = question.entities(
        request.requester, series.series_id, series.contributor, series.identifier_type, series.conditions
    )
    return action, entities, context


def first_facts(case: Case) -> AdmitFacts:
    found = case.admit or (case.release.admitted if case.release else None)
    assert found is not None
    return found


def boundary_cases(number: int) -> Iterator[tuple[Case, Tier]]:
    """Requests and results at the places where the gate itself changes or refuses a tier."""
    dice = random.Random(number)
    matching = [read(Case, path.read_bytes()) for path in SCENARIOS]
    matching = [case for case in matching if case.deposit is None and first_facts(case).series]
    for _ in range(number):
        case = dice.choice(matching)
        derived = first_facts(case).derived.model_copy(
            update={"count_cost_millis": dice.choice([500, 5000, 5001])}
        )
        size = dice.choice([5, 9, 10, 11])
        changes = {"tier": dice.choice(list(Tier)), "identifiers": size, "points": size, "derived": derived}
        request = first_facts(case).model_copy(update=changes)
        if case.release is not None:
            case = case.model_copy(update={"release": case.release.model_copy(update={"admitted": request})})
        else:
            case = case.model_copy(update={"admit": request})
        yield case, case.tier or dice.choice(list(Tier))


def cases(seed: int, number: int) -> Iterator[tuple[Case, Tier]]:
    """Every scenario as it is, then so many near them, half of those at the tier that they are about."""
    dice = random.Random(seed)
    near = (random_case(dice) for _ in range(number))
    for case in (*(read(Case, path.read_bytes()) for path in SCENARIOS), *near):
        if case.deposit is not None:
            yield case, Tier.COUNT
        elif first_facts(case).series:
            decided = case.expected.tier if case.expected else None
            own = case.tier or first_facts(case).tier
            yield case, decided or dice.choice([own, dice.choice(list(Tier))])


def compare_all_rules(bundle: Bundle, space: Space, seed: int, number: int) -> set[str]:
    rules = dict(bundle.syntax)
    permits = engine_rules(rules)
    seen = set[str]()
    for case, tier in cases(seed, number):
        seen |= compare(bundle, space, case, tier, rules, permits)
    return seen


def compare_expressions(bundle: Bundle, space: Space, seed: int, number: int) -> set[str]:
    dice = random.Random(seed)
    near = [each for each in cases(seed, 60) if each[0].deposit is None]
    seen = set[str]()
    for _ in range(number // 20):
        # Twenty conditions at a time, as the rules of one set.
        texts = [
            f'@id("E{place}") forbid (principal, action, resource) when {{ {truth(dice)} }};'
            for place in range(20)
        ]
        rules = lint.named_policies("random", "\n".join(texts))
        case, tier = dice.choice(near)
        seen |= {name[-4:] for name in compare(bundle, space, case, tier, rules, engine_rules(rules))}
    return seen


def sorted_sets(real: Any) -> Any:
    if isinstance(real, Mapping):
        return {name: sorted_sets(each) for name, each in real.items()}
    return sorted(set(real)) if isinstance(real, list | tuple) else real


def test_the_question_is_the_real_one_fact_by_fact(bundle: Bundle, space: Space) -> None:
    """The same facts, names and shapes, for every scenario and many requests near them."""
    for case, tier in cases(6, 200):
        pinned = Pinned(space.facts)
        action, entities, context = asked(bundle, pinned, space, case, tier)
        seen = {
            name: pinned.seen(value.attributes if isinstance(value, Entity) else value)
            for name, value in space.verdicts[0].asked[action].variables.items()
        }
        assert seen["context"] == sorted_sets(context)
        assert (seen["principal"], seen["resource"]) == tuple(sorted_sets(each["attrs"]) for each in entities)


def test_every_rule_applies_in_the_formulas_where_it_applies_in_the_engine(
    bundle: Bundle, space: Space
) -> None:
    assert set(bundle.syntax) <= compare_all_rules(bundle, space, seed=1, number=250)


def test_random_conditions_hold_and_err_in_the_formulas_as_in_the_engine(
    bundle: Bundle, space: Space
) -> None:
    seen = compare_expressions(bundle, space, seed=2, number=2000)
    assert "errs" in seen
    assert len(seen) > 1


@pytest.mark.all_only
def test_ten_thousand_random_requests_and_conditions_agree(bundle: Bundle, space: Space) -> None:
    assert set(bundle.syntax) <= compare_all_rules(bundle, space, seed=3, number=4000)
    assert "errs" in compare_expressions(bundle, space, seed=4, number=40_000)


@pytest.mark.parametrize("number", [150, pytest.param(2000, marks=pytest.mark.all_only)])
def test_the_whole_decision_is_that_of_the_gate(bundle: Bundle, space: Space, number: int) -> None:
    """Tiers that change on the way, results above the tier admitted and series that hide one another included."""
    outcomes = set[tuple[str, bool]]()
    decided = {action: space.verdicts[0].decided(action, bundle.syntax) for action in ACTIONS}
    for case, tier in (*cases(5, number), *boundary_cases(number)):
        pinned = Pinned(space.facts)
        whole = alike(case, tier)
        action, _, _ = asked(bundle, pinned, space, whole, tier)
        if action != "deposit":
            pinned.put_whole(tier, len(first_facts(whole).series))
        decision = decide_case(bundle, whole)
        assert pinned.holds(decided[action]) is decision.allowed
        if decision.allowed and action != "deposit":
            assert pinned.word(space.verdicts[0].asked[action].gates_tier) == decision.tier
        outcomes.add((action, decision.allowed))
    assert len(outcomes) == 6


def alike(case: Case, tier: Tier) -> Case:
    """The case about as many series as it has, of one contributor each and all under the conditions of its first."""
    if case.deposit is not None:
        return case
    request = first_facts(case)
    first = request.series[0]
    held = tuple(
        first.model_copy(
            update={
                "series_id": place.to_bytes(32, "big"),
                "contributor": first.contributor.model_copy(update={"agency_id": f"contributor-{place}"}),
            }
        )
        for place in range(1, min(3, len(request.series)) + 1)
    )
    request = request.model_copy(update={"series": held, "identifier_types": (first.identifier_type,)})
    if case.release is None:
        return Case(admit=request)
    said = case.release.answer_of(first.series_id)
    answers = tuple(SeriesAnswer(series_id=one.series_id, answer=said) for one in held)
    return Case(release=case.release.model_copy(update={"admitted": request, "answers": answers}), tier=tier)


def test_at_every_pair_of_tiers_the_gate_decides_as_the_model_does(bundle: Bundle, space: Space) -> None:
    """Requests that the model picks: allowed, and allowed by the rules alone."""
    verdicts, seen = space.verdicts[0], set[tuple[str, str, str, bool]]()
    asked_tier = term_of(space.facts.request.facts["tier"])
    contributors = space.facts.contributors.term
    for action, asked_for, about, number in product(ACTIONS[1:], Tier, Tier, (1, 3)):
        allowed = verdicts.allowed(action, bundle.syntax)
        decided = verdicts.decided(action, bundle.syntax)
        word = space.vocabulary.word
        tiers = (
            asked_tier == word(asked_for),
            verdicts.asked[action].gates_tier == word(about),
            contributors == number,
        )
        for wanted, outcome in (((decided,), True), ((allowed, z3.Not(decided)), False)):
            found = space.find(*wanted, *tiers)
            if found is not None:
                decision = decide_case(bundle, case_of(space.facts, found, action))
                assert decision.allowed is outcome, (action, asked_for, about, decision.rules)
                seen.add((action, asked_for, about, outcome))
    assert ("admit", "hits", "sources", True) in seen
    assert ("release", "sources", "payload", False) in seen
    assert len(seen) > 20


def test_what_is_refused_below_does_not_become_a_request_for_sources(bundle: Bundle, space: Space) -> None:
    """With a rule more that refuses hits, sources that the rules would allow are not asked about: nothing is left."""
    text = """@id("L98") @reason("r") @law("l")
    forbid (principal, action == Narrowgate::Action::"admit", resource) when { context.tier == "hits" };"""
    rules = {**bundle.syntax, **lint.named_policies("more", text)}
    verdicts = space.verdicts[0]
    asked_hits = term_of(space.facts.request.facts["tier"]) == space.vocabulary.word(Tier.HITS)
    escalated = verdicts.asked["admit"].gates_escalated
    found = space.find(verdicts.allowed("admit", rules), asked_hits, escalated)
    assert found is not None
    stricter = replace(
        bundle, syntax=rules, policies=policy_set(rules), rules={**bundle.rules, "L98": bundle.rules["L06"]}
    )
    assert not decide_case(stricter, case_of(space.facts, found, "admit")).allowed
    assert space.find(verdicts.decided("admit", rules), asked_hits, escalated) is None
