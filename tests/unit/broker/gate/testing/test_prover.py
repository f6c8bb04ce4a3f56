"""What the prover says of mutants: that they are the same rules in other words, or a case that shows they are not."""

from dataclasses import replace

import pytest

from broker.gate.bundle import Bundle, load
from broker.gate.lint import Policy
from broker.gate.testing.changes import document
from broker.gate.testing.generating.witnesses import told_from_a_story
from broker.gate.testing.mutants.expressions import places, put
from broker.gate.testing.mutants.rules import RuleMutant, rule_mutants
from broker.gate.testing.mutants.tables import TableMutant, table_mutants
from broker.gate.testing.prover import Prover
from broker.gate.testing.scenarios import come_to, read_scenarios
from broker.gate.testing.scoring import score
from tests.gate_world import BUNDLE

pytestmark = pytest.mark.all_only

STORIES = read_scenarios(BUNDLE)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.fixture(scope="module")
def prover(bundle: Bundle) -> Prover:
    return Prover(bundle)


@pytest.fixture(scope="module")
def mutants(bundle: Bundle) -> dict[str, RuleMutant]:
    return {mutant.name: mutant for mutant in rule_mutants(bundle)}


def in_other_words(policy: Policy) -> Policy:
    """The same rule with its comparisons with equality written the other way round."""
    conditions = policy["conditions"]
    for index, condition in enumerate(conditions):
        for at, node in places(condition["body"]):
            if "==" in node:
                turned = {"==": {"left": node["=="]["right"], "right": node["=="]["left"]}}
                body = put(condition["body"], at, turned)
                return {**policy, "conditions": put(conditions, (index, "body"), body)}
    raise AssertionError("no comparison")


@pytest.mark.parametrize("rule", ["L19", "D0", "G1b"])
def test_the_same_rule_in_other_words_is_no_different(bundle: Bundle, prover: Prover, rule: str) -> None:
    mutant = RuleMutant("turned round", rule, in_other_words(bundle.syntax[rule]))
    assert mutant.policy != bundle.syntax[rule]
    assert not prover.proved(mutant).different


@pytest.mark.parametrize(
    "name",
    [
        "L06, clause 1: >= for > in context.identifiers > context.limit.sourcesIdentifiers",
        "D4, clause 1: <= for >= in context.records >= 1",
        "G3, deleted",
        "L16, permit instead",
    ],
)
def test_a_slip_is_shown_by_a_case_that_the_gate_decides_otherwise(
    bundle: Bundle, prover: Prover, mutants: dict[str, RuleMutant], name: str
) -> None:
    proved = prover.proved(mutants[name])
    assert proved.witness is not None
    assert come_to(mutants[name].applied(bundle), proved.witness) != come_to(bundle, proved.witness)


def test_a_rule_that_another_backs_up_shows_by_its_name(
    bundle: Bundle, prover: Prover, mutants: dict[str, RuleMutant]
) -> None:
    gone = mutants["L01a, deleted"]
    proved = prover.proved(gone)
    assert proved.witness is not None
    before, after = come_to(bundle, proved.witness), come_to(gone.applied(bundle), proved.witness)
    assert before.outcome is after.outcome
    assert "L01a" in set(before.rules) ^ set(after.rules)


def test_a_number_that_no_rule_reads_is_no_different(bundle: Bundle, prover: Prover) -> None:
    named = {mutant.name: mutant for mutant in table_mutants(bundle)}
    assert not prover.proved(named["limits.toml, emergency_review_days: 15 for 14"]).different
    assert prover.proved(named["limits.toml, payload_identifiers: 6 for 5"]).different


def test_an_instrument_without_a_date_allows_nothing_whatever_it_says(bundle: Bundle, prover: Prover) -> None:
    [asleep, *_] = [
        name for name, each in bundle.instruments.items() if each.gateways and not each.in_force_from
    ]
    others = {name: each for name, each in bundle.instruments.items() if name != asleep}
    gone = TableMutant(
        f"{asleep}: dropped", frozenset([asleep]), lambda before: replace(before, instruments=others)
    )
    assert not prover.proved(gone).different


def test_a_witness_is_told_as_a_small_change_to_a_story(
    bundle: Bundle, prover: Prover, mutants: dict[str, RuleMutant]
) -> None:
    mutant = mutants["D4, clause 1: <= for >= in context.records >= 1"]
    witness = prover.proved(mutant).witness
    assert witness is not None
    told = told_from_a_story(bundle, mutant.applied(bundle), witness, STORIES)
    assert told is not None
    assert len(told.change) <= 2
    assert come_to(mutant.applied(bundle), told.scenario.case) != told.scenario.expected
    assert "deposit" in document(told.scenario.case)


def test_the_score_counts_what_differs_and_names_what_lives(
    bundle: Bundle, mutants: dict[str, RuleMutant]
) -> None:
    some = [mutant for mutant in mutants.values() if mutant.rule in ("D2", "L22")][::4]
    same = RuleMutant("turned round", "L22", in_other_words(bundle.syntax["L22"]))
    told = [story for story in STORIES if {"D0", "D2", "L22"} & set(story.expected.rules)]
    heard: list[tuple[int, int]] = []
    scored = score(bundle, [*some, same], told, lambda done, total: heard.append((done, total)))
    assert heard[-1] == (scored.mutants, scored.mutants) == (len(some) + 1, len(some) + 1)
    assert "turned round" in [each.mutant.name for each in scored.survivors if not each.proved.different]
    assert scored.killed + len(scored.survivors) == scored.mutants
    counted = scored.killed + len(scored.different)
    assert scored.percent == 100 * scored.killed / counted
    assert not score(bundle, some[:3], [story for story in told if "L22" in story.expected.rules]).enough
