"""Kills: taken from the gate's own decisions, and the screen before them hides none."""

from collections.abc import Sequence

import pytest

from broker.gate.bundle import Bundle, load
from broker.gate.testing.killing import fates_of_rules, fates_of_tables, kills, words
from broker.gate.testing.mutants.rules import RuleMutant, rule_mutants
from broker.gate.testing.mutants.tables import table_mutants
from broker.gate.testing.scenarios import Scenario, come_to, read_scenarios
from broker.gate.testing.screening import Screen
from tests.gate_world import BUNDLE

pytestmark = pytest.mark.all_only

STORIES = read_scenarios(BUNDLE)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.fixture(scope="module")
def mutants(bundle: Bundle) -> tuple[RuleMutant, ...]:
    return rule_mutants(bundle)


def of_rule(mutants: Sequence[RuleMutant], rule: str) -> list[RuleMutant]:
    return [mutant for mutant in mutants if mutant.rule == rule]


def story(name: str) -> Scenario:
    return next(each for each in STORIES if each.name == name)


def test_a_rule_that_is_deleted_is_missed_by_its_story(
    bundle: Bundle, mutants: tuple[RuleMutant, ...]
) -> None:
    [deleted] = [mutant for mutant in mutants if mutant.name == "L22, deleted"]
    told = story("DENY/a-payload-where-there-is-none")
    assert told.expected.rules == ("L22",)
    assert kills(bundle, deleted, [told]) == told.name
    assert kills(bundle, deleted, [story("ALLOW/five-hits-leave")]) is None


def test_another_deciding_rule_kills_as_well_as_another_outcome(
    bundle: Bundle, mutants: tuple[RuleMutant, ...]
) -> None:
    told = story("DENY/contents-for-a-lesser-offence-without-a-judge")
    assert {"L07", "L14"} <= set(told.expected.rules)
    for mutant in mutants:
        if mutant.name in ("L07, deleted", "L14, deleted"):
            assert kills(bundle, mutant, [told]) == told.name
            assert come_to(mutant.applied(bundle), told.case).outcome is told.expected.outcome


@pytest.mark.parametrize("rule", ["G5", "L09", "L16", "D5"])
def test_the_screen_hides_no_kill(bundle: Bundle, mutants: tuple[RuleMutant, ...], rule: str) -> None:
    some = of_rule(mutants, rule)[::11]
    told = [each for each in STORIES if (each.case.deposit is not None) == rule.startswith("D")][::7]
    screen = Screen(bundle, some)
    shown = [(each, screen.told_apart(each.case, each.expected.tier)) for each in told]
    for number, mutant in enumerate(some):
        hidden = [each for each, mask in shown if not mask >> number & 1]
        assert kills(bundle, mutant, hidden) is None, mutant.name


def test_what_the_screen_lets_through_is_decided_by_the_gate(
    bundle: Bundle, mutants: tuple[RuleMutant, ...]
) -> None:
    fates = list(fates_of_rules(bundle, of_rule(mutants, "D2"), STORIES))
    killed = {fate.mutant.name: fate.killed_by for fate in fates if fate.killed_by}
    assert killed["D2, deleted"] == "DENY/a-deposit-nobody-looked-at"
    for fate in fates:
        if fate.killed_by is not None:
            told = story(fate.killed_by)
            assert come_to(fate.mutant.applied(bundle), told.case) != told.expected


def test_an_entry_of_a_table_is_missed_by_the_story_that_needs_it(bundle: Bundle) -> None:
    some = [mutant for mutant in table_mutants(bundle) if mutant.name.startswith("led_national_order")]
    fates = {fate.mutant.name: fate.killed_by for fate in fates_of_tables(bundle, some[:6], STORIES)}
    told = "ALLOW/a-national-order-reaches-contributors-of-its-own-country"
    assert fates["led_national_order: dropped"] == fates["led_national_order, gateways: G1b dropped"] == told


def test_a_table_is_tried_only_on_cases_that_speak_of_it(bundle: Bundle) -> None:
    for mutant in table_mutants(bundle)[::19]:
        silent = [told for told in STORIES[::7] if not mutant.read_for <= words(told.case)]
        assert kills(bundle, mutant, silent) is None, mutant.name
