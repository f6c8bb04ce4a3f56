"""An explanation says which part of each rule refused, on what facts, and what was needed; it decides nothing."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.gate import engine, question
from broker.gate.bundle import Bundle, load
from broker.gate.decide import Case, decide_admission, decide_case, decide_deposit, decide_release
from broker.gate.explain import Ground, Need, explain, why
from broker.gate.facts import AdmitFacts, People
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import read
from broker.protocol.messages.vocabulary import AgencyKind, Authority, Consent, Purpose, Subject, Tier
from tests.gate_world import (
    BUNDLE,
    NOW,
    admit_facts,
    basis,
    both,
    claims,
    deposit_facts,
    derived,
    party,
    release_facts,
    series,
    three_series,
    verified,
)

FOLDER = load(BUNDLE)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return FOLDER


def leaves(need: Need) -> Iterator[Need]:
    """The parts of a need that have none themselves."""
    if not need.parts:
        yield need
    for part in need.parts:
        yield from leaves(part)


def grounds(bundle: Bundle, facts: AdmitFacts, rule: str) -> tuple[Ground, ...]:
    explanation = explain(bundle, decide_admission(bundle, facts))
    return next(each for each in explanation.refusing if each.rule == rule).grounds


def words(bundle: Bundle, facts: AdmitFacts, rule: str) -> list[str]:
    (ground,) = grounds(bundle, facts, rule)
    return [leaf.words for leaf in leaves(ground.need)]


def test_six_hundred_identifiers_are_told_the_five_hundred_that_the_tier_allows(bundle: Bundle) -> None:
    (ground,) = grounds(bundle, admit_facts(identifiers=600, points=600), "L06")
    assert ground.need.words == "where tier is hits"
    (needed,) = leaves(ground.need)
    assert needed.words == "identifiers: at most 500, the limit hits_identifiers (600 now)"
    assert needed.facts == {"context.identifiers": 600, "context.limit.hitsIdentifiers": 500}
    assert len(ground.series) == 3


def test_one_approver_is_told_that_two_are_needed_and_what_an_emergency_would_change(bundle: Bundle) -> None:
    facts = admit_facts(
        tier=Tier.SOURCES, identifiers=5, points=5, people=People(approvers=("supervisor-1",))
    )
    (ground,) = grounds(bundle, facts, "L09")
    assert ground.circumstances == ("tier is sources",)
    assert ground.need.either
    two, emergency = ground.need.parts
    assert two.words == "approvers: at least 2 (1 now)"
    assert not emergency.either
    assert [each.words for each in emergency.parts] == [
        "instrument gateways: with G3 (G2 now)",
        "verified threat to life: yes (no now)",
    ]


def test_a_claim_that_differs_from_the_finding_is_told_in_which_facts(bundle: Bundle) -> None:
    facts = admit_facts(claims=claims(purpose=Purpose.IDENTIFY_VICTIM, maximum_penalty_months=90))
    assert words(bundle, facts, "L20") == [
        "claimed facts: equal to verified facts (they differ in maximum penalty months, purpose)"
    ]


def test_an_order_out_of_its_time_is_told_the_time(bundle: Bundle) -> None:
    (said,) = words(bundle, both(basis=basis(valid_until=NOW)), "L01")
    assert (
        said
        == "now: less than the verified basis valid until, 2026-11-18 11:06:40 UTC (2026-11-18 11:06:40 UTC now)"
    )


def test_a_sum_is_told_with_what_it_comes_to(bundle: Bundle) -> None:
    said = words(bundle, admit_facts(derived=derived(identifiers_30d=19_961)), "L10")
    assert said == ["identifiers 30d + identifiers: at most 20000, the limit identifiers_30d (20001 now)"]


def test_a_finding_that_is_missing_hides_what_cannot_be_asked_without_it(bundle: Bundle) -> None:
    assert words(bundle, admit_facts(verified=None), "L01a") == ["verified: given (missing now)"]


def test_series_that_a_rule_refuses_for_other_reasons_are_told_apart(bundle: Bundle) -> None:
    held = (
        *three_series(),
        series(4, retain_until=NOW),
        series(5, retain_until=NOW),
        series(6, retain_until=NOW - 1),
    )
    explanation = explain(bundle, decide_admission(bundle, admit_facts(series=held)))
    assert explanation.decision.allowed
    (refusing,) = explanation.refusing
    assert refusing.rule == "L12"
    assert [len(ground.series) for ground in refusing.grounds] == [2, 1]
    assert refusing.law == bundle.rules["L12"].law


def test_without_a_gateway_each_is_told_clause_by_clause_with_the_facts(bundle: Bundle) -> None:
    (ground,) = grounds(bundle, both(basis=basis(issued_by=Authority.POLICE)), "GATEWAY")
    epoc = next(each for each in ground.need.parts if each.words.startswith("G2, "))
    (clause,) = epoc.parts
    assert clause.words == "an authority that may issue that order"
    (needed,) = leaves(clause)
    assert needed.words == (
        "instrument issuers: with the verified basis issued by, police (court, judge, prosecutor now)"
    )


@pytest.mark.parametrize(
    ("facts", "rule", "says"),
    [
        (admit_facts(requester=party("ngo-1", AgencyKind.NGO)), "LANE", "a lane from company to ngo"),
        (admit_facts(series=()), "NO_SERIES", "open series"),
        (admit_facts(series=three_series()[:2]), "L21", "at least 3"),
    ],
)
def test_what_the_gate_computes_is_told_too(bundle: Bundle, facts: AdmitFacts, rule: str, says: str) -> None:
    explanation = explain(bundle, decide_admission(bundle, facts))
    (ground,) = next(each for each in explanation.refusing if each.rule == rule).grounds
    assert says in ground.need.words


def test_a_deposit_is_explained_without_series(bundle: Bundle) -> None:
    (refusing,) = explain(bundle, decide_deposit(bundle, deposit_facts(consent=Consent.WITHDRAWN))).refusing
    (ground,) = refusing.grounds
    assert ground.series == ()
    assert [leaf.words for leaf in leaves(ground.need)] == [
        "deposit's consent: other than withdrawn (withdrawn now)"
    ]


def test_of_a_result_that_one_series_refuses_only_that_one_is_blamed(bundle: Bundle) -> None:
    held = (*three_series(), series(4, retain_until=NOW + 1))
    decision = decide_release(bundle, release_facts(series=held, now=NOW + 2), Tier.HITS)
    (refusing,) = explain(bundle, decision).refusing
    assert refusing.rule == "L12"
    (ground,) = refusing.grounds
    assert ground.series == (held[3].series_id,)


def test_a_rule_that_errs_is_named(tmp_path: Path) -> None:
    bundle = with_rule(tmp_path, "when { context.identifiers * 9223372036854775807 > 0 }")
    decision = decide_admission(bundle, admit_facts())
    assert decision.rules == (engine.ENGINE_ERROR,)
    (refusing,) = explain(bundle, decision).refusing
    (ground,) = refusing.grounds
    assert ground.need.words == "rule X1 to be evaluated without an error"


def with_rule(tmp_path: Path, condition: str, annotations: str = "") -> Bundle:
    """The bundle with one limit more, X1, on `admit`."""
    copy = Path(shutil.copytree(BUNDLE, tmp_path / "policies"))
    (copy / "limits" / "more.cedar").write_text(
        f'@id("X1") @reason("r") @law("l") {annotations} '
        f'forbid (principal, action == Narrowgate::Action::"admit", resource) {condition};'
    )
    return load(copy)


def test_a_rules_author_may_give_a_part_words(tmp_path: Path) -> None:
    bundle = with_rule(
        tmp_path,
        'when { context.tier == "hits" } unless { context.identifiers > 90 || context.points > 90 }',
        '@part_3("more than ninety points, as counsel explained")',
    )
    (ground,) = grounds(bundle, admit_facts(), "X1")
    first, second = ground.need.parts
    assert first.words == "identifiers: more than 90 (40 now)"
    assert second.words == "more than ninety points, as counsel explained"
    assert [leaf.words for leaf in leaves(second)] == ["points: more than 90 (40 now)"]


@pytest.mark.parametrize("part", ["part_0", "part_2", "part_x"])
def test_words_for_a_part_that_is_none_are_refused(tmp_path: Path, part: str) -> None:
    with pytest.raises(BadInput, match="X1 says in a @part"):
        with_rule(tmp_path, "when { context.identifiers > 3 }", f'@{part}("words")')


def test_a_gateway_says_what_it_needs_and_has_no_parts(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(BUNDLE, tmp_path / "policies"))
    file = copy / "gateways" / "voluntary.cedar"
    file.write_text(file.read_text().replace('@id("G4")', '@id("G4")\n@part_1("words")'))
    with pytest.raises(BadInput, match="G4 has a @part"):
        load(copy)


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("", "nothing: the rule refuses whatever the facts are"),
        ('when { context.claimed.place like "N*" }', 'context.claimed.place like "N*": no'),
        ("when { context.identifiers == 40 }", "identifiers: other than 40 (40 now)"),
        ("when { 39 < context.identifiers }", "identifiers: at most 39 (40 now)"),
        ("when { !context.escalated }", "escalated: yes (no now)"),
        ("when { context has verified }", "verified: not given"),
        (
            "when { resource.permittedReaders.containsAny(principal.mandates) || true }",
            "true: no",
        ),
        (
            "when { if context.escalated then true else context.points > 3 }",
            "points: at most 3 (40 now)",
        ),
    ],
)
def test_an_expression_is_put_in_words_or_shown_as_written(tmp_path: Path, condition: str, says: str) -> None:
    assert words(with_rule(tmp_path, condition), admit_facts(), "X1") == [says]


def test_an_explanation_under_another_bundle_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    other = with_rule(tmp_path, "when { context.identifiers > 3 }")
    with pytest.raises(BadInput, match="another bundle"):
        explain(bundle, decide_admission(other, admit_facts()))


@pytest.mark.parametrize(
    "path", sorted((BUNDLE / "scenarios" / "DENY").glob("*.json")), ids=lambda path: path.stem
)
def test_every_refusing_rule_of_every_scenario_has_a_ground(bundle: Bundle, path: Path) -> None:
    decision = decide_case(bundle, read(Case, path.read_bytes()))
    before = decision.text
    explanation = explain(bundle, decision)
    assert {each.rule for each in explanation.refusing} >= set(decision.rules)
    assert all(each.grounds for each in explanation.refusing)
    assert (decision.text, explanation.decision) == (before, decision)


asked = st.builds(
    admit_facts,
    tier=st.sampled_from(Tier),
    identifiers=st.sampled_from([0, 4, 40, 501]),
    points=st.sampled_from([4, 40, 501]),
    verified=st.none()
    | st.builds(
        verified,
        purpose=st.sampled_from(
            [Purpose.INVESTIGATE_TRAFFICKER, Purpose.IDENTIFY_VICTIM, Purpose.GENERAL_INTELLIGENCE]
        ),
        threat_to_life=st.booleans(),
        basis_authentic=st.booleans(),
        dual_criminality=st.booleans(),
        maximum_penalty_months=st.sampled_from([24, 47, 144]),
    ),
    derived=st.builds(
        derived,
        identifiers_30d=st.sampled_from([0, 20_000]),
        queries_90d=st.sampled_from([0, 300]),
        prior_tier=st.sampled_from([None, Tier.HITS, Tier.SOURCES]),
        confirmed=st.booleans(),
        prior_decided_at=st.sampled_from([None, NOW]),
    ),
    people=st.sampled_from(
        [People(), People(approvers=("a",)), People(approvers=("a", "b"), reviewers=("c",))]
    ),
    series=st.builds(
        lambda **changes: (series(1, **changes),),
        subject=st.sampled_from(Subject),
        consent=st.sampled_from(Consent),
        retain_until=st.sampled_from([NOW, NOW + 9]),
        transfer_ground=st.sampled_from(["within_union", "adequacy"]),
        established_in=st.sampled_from(["IE", "US", "NL"]),
    ),
)

ADMITTING = [
    rule
    for rule, syntax in FOLDER.syntax.items()
    if syntax["effect"] == "forbid" and "admit" in str(syntax["action"])
]


@settings(max_examples=60)
@given(facts=asked)
def test_a_rule_has_a_ground_exactly_when_the_engine_says_that_it_refuses(facts: AdmitFacts) -> None:
    about = question.about_series(FOLDER, "admit", facts, facts.series[0], facts.tier, None)
    verdict = engine.ask(FOLDER, about.action, about.entities, about.context)
    assert engine.ENGINE_ERROR not in verdict.rules
    refusing = {rule for rule in ADMITTING if why(FOLDER, rule, about) is not None}
    assert refusing == {rule for rule in verdict.rules if FOLDER.rules[rule].effect == "forbid"}


def test_the_rules_about_admission_are_most_of_the_bundle() -> None:
    assert len(ADMITTING) >= 15


FLIPPED: list[tuple[str, Callable[[], AdmitFacts], dict[str, Any]]] = [
    ("L06", lambda: admit_facts(identifiers=600, points=600), {"identifiers": 500, "points": 500}),
    ("L12", lambda: admit_facts(claims=claims(retention_days=366)), {"claims": claims(retention_days=365)}),
    ("L13", lambda: admit_facts(requester=party(suspended=True)), {"requester": party()}),
]


@pytest.mark.parametrize(("rule", "refused", "met"), FLIPPED)
def test_what_is_said_to_be_needed_is_enough(
    bundle: Bundle, rule: str, refused: Callable[[], AdmitFacts], met: dict[str, Any]
) -> None:
    assert words(bundle, refused(), rule)
    assert decide_admission(bundle, refused().model_copy(update=met)).allowed
