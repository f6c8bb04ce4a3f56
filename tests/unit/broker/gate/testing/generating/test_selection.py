"""Which candidates become boundary cases: those that kill what nothing kept so far kills, the same ones each time."""

import pytest

from broker.gate.bundle import Bundle, load
from broker.gate.testing.boundaries import cases, compact
from broker.gate.testing.changes import document
from broker.gate.testing.generating.edges import edges
from broker.gate.testing.generating.entries import entries
from broker.gate.testing.generating.selection import Candidate, candidate, choose_for_rules, choose_for_tables
from broker.gate.testing.killing import kills
from broker.gate.testing.mutants.rules import RuleMutant, rule_mutants
from broker.gate.testing.mutants.tables import table_mutants
from broker.gate.testing.scenarios import judge, read_scenarios
from tests.gate_world import BUNDLE

pytestmark = pytest.mark.all_only

STORIES = read_scenarios(BUNDLE)
[DEPOSIT] = [story for story in STORIES if story.name == "ALLOW/a-company-deposits-reviewed-accounts"]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.fixture(scope="module")
def offered(bundle: Bundle) -> list[Candidate]:
    facts = document(DEPOSIT.case)
    made = (candidate(bundle, DEPOSIT, facts, change) for change in edges(bundle, facts))
    return [each for each in made if each is not None]


@pytest.fixture(scope="module")
def living(bundle: Bundle) -> list[RuleMutant]:
    """The mutants of the limit on a company's records, which the story itself does not kill."""
    named = [mutant for mutant in rule_mutants(bundle) if "context.limit.companyRecords" in mutant.name]
    return [mutant for mutant in named if not kills(bundle, mutant, [DEPOSIT])]


def test_each_case_that_is_kept_kills_and_every_other_mutant_lives_on(
    bundle: Bundle, offered: list[Candidate], living: list[RuleMutant]
) -> None:
    kept, left = choose_for_rules(bundle, offered, living)
    scenarios = [each.scenario for each in kept]
    assert kept
    for mutant in living:
        assert (kills(bundle, mutant, scenarios) is None) == (mutant in left), mutant.name
    for each in kept:
        assert any(kills(bundle, mutant, [each.scenario]) for mutant in living)
    assert len(kept) < len(offered)


def test_equal_candidates_are_kept_in_equal_order(
    bundle: Bundle, offered: list[Candidate], living: list[RuleMutant]
) -> None:
    assert choose_for_rules(bundle, offered, living) == choose_for_rules(bundle, offered, living)


def test_what_is_kept_is_written_and_read_as_the_same_cases(
    bundle: Bundle, offered: list[Candidate], living: list[RuleMutant]
) -> None:
    kept, _ = choose_for_rules(bundle, offered, living)
    read = cases(compact(each.boundary for each in kept), STORIES)
    assert {each.case.model_dump_json() for each in read} == {
        each.scenario.case.model_dump_json() for each in kept
    }
    assert all(judged.passed for judged in judge(bundle, read))


def test_an_instrument_that_no_story_uses_is_told_of(bundle: Bundle) -> None:
    [mutant] = [each for each in table_mutants(bundle) if each.name == "uk_ipa_2016: dropped"]
    assert kills(bundle, mutant, STORIES) is None
    told = [story for story in STORIES if story.name.startswith("ALLOW/a-national-order")]
    made = [
        found
        for story, change in entries(bundle, told)
        if "uk_ipa_2016" in change.values()
        and (found := candidate(bundle, story, document(story.case), change)) is not None
    ]
    kept, left = choose_for_tables(bundle, made, [mutant])
    assert not left
    assert kept[0].scenario.expected.rules == ("G1b",)
