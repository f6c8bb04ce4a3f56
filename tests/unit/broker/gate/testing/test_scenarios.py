"""The bundle's own scenarios: facts as files, each with its story, the outcome and exactly the rules that decide."""

import json
import shutil
from pathlib import Path

import pytest

from broker.gate.bundle import Bundle, load
from broker.gate.decide import decide_again, decide_case
from broker.gate.testing.boundaries import cases, read_boundaries
from broker.gate.testing.scenarios import Scenario, judge, read_scenarios
from broker.protocol.errors import BadInput
from tests.gate_world import BUNDLE

STORIES = read_scenarios(BUNDLE)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_scenario_is_decided_as_its_author_expects(bundle: Bundle, story: Scenario) -> None:
    [judged] = judge(bundle, [story])
    assert judged.decided == story.expected
    decision = decide_case(bundle, story.case)
    assert decide_again(bundle, decision).digest == decision.digest


def test_every_boundary_case_is_decided_as_it_was_when_it_was_reviewed(bundle: Bundle) -> None:
    bounded = cases(read_boundaries(BUNDLE), STORIES)
    assert len(bounded) > 100
    failed = [each for each in judge(bundle, bounded) if not each.passed]
    assert not [(each.scenario.name, each.scenario.expected, each.decided) for each in failed]


def test_every_rule_of_the_bundle_decides_some_scenario(bundle: Bundle) -> None:
    decided = {rule for story in STORIES for rule in decide_case(bundle, story.case).rules}
    assert set(bundle.rules) <= decided


def test_scenarios_forms_and_templates_do_not_count_for_the_digest(bundle: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "policies"
    shutil.copytree(BUNDLE, copy)
    for beside in ("scenarios", "forms", "templates"):
        shutil.rmtree(copy / beside)
    assert load(copy).digest == bundle.digest


# --- folders of scenarios that are not in order ---

STORY = BUNDLE / "scenarios" / "DENY" / "a-deposit-nobody-looked-at.json"


def folder(tmp_path: Path, outcome: str, **changes: object) -> Path:
    """A folder with one scenario, changed."""
    target = tmp_path / "scenarios" / outcome
    target.mkdir(parents=True)
    told = json.loads(STORY.read_bytes()) | changes
    (target / "told.json").write_text(
        json.dumps({key: value for key, value in told.items() if value is not None})
    )
    return tmp_path


def test_a_scenario_passes_only_with_exactly_its_rules(bundle: Bundle, tmp_path: Path) -> None:
    more = {"outcome": "DENY", "tier": None, "rules": ["D2", "D3"]}
    [told] = read_scenarios(folder(tmp_path, "DENY", expected=more))
    [judged] = judge(bundle, [told])
    assert not judged.passed
    assert judged.decided.rules == ("D2",)


@pytest.mark.parametrize("missing", ["story", "expected"])
def test_a_scenario_without_its_story_or_expectation_is_refused(tmp_path: Path, missing: str) -> None:
    with pytest.raises(BadInput, match="DENY/told has no story"):
        read_scenarios(folder(tmp_path, "DENY", **{missing: None}))


def test_a_scenario_in_the_folder_of_another_outcome_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="ALLOW/told expects another outcome"):
        read_scenarios(folder(tmp_path, "ALLOW"))


def test_a_scenario_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Scenario DENY/told"):
        read_scenarios(folder(tmp_path, "DENY", deposit={}))


def test_a_bundle_without_scenarios_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no scenarios"):
        read_scenarios(tmp_path)
