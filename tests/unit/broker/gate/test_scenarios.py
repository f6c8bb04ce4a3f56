"""The bundle's own scenarios: facts as files, each with its story, the outcome and exactly the rules that decide."""

from pathlib import Path

import pytest

from broker.gate.bundle import Bundle, load
from broker.gate.decide import Case, decide_again, decide_case, decide_text
from broker.protocol.messages.base import read
from tests.gate_world import BUNDLE

FILES = sorted((BUNDLE / "scenarios").rglob("*.json"))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


def scenario(path: Path) -> Case:
    return read(Case, path.read_bytes())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_scenario_is_decided_as_its_author_expects(bundle: Bundle, path: Path) -> None:
    case = scenario(path)
    assert case.story
    assert case.expected is not None
    decision = decide_text(bundle, path.read_bytes())
    assert decision.outcome == path.parent.name
    assert (decision.outcome, decision.tier, decision.rules) == (
        case.expected.outcome,
        case.expected.tier,
        case.expected.rules,
    )
    assert decide_again(bundle, decision).digest == decision.digest


def test_every_rule_of_the_bundle_decides_some_scenario(bundle: Bundle) -> None:
    decided = {rule for path in FILES for rule in decide_case(bundle, scenario(path)).rules}
    assert set(bundle.rules) <= decided


def test_scenarios_forms_and_templates_do_not_count_for_the_digest(bundle: Bundle, tmp_path: Path) -> None:
    rules = [*BUNDLE.glob("*.cedarschema"), *BUNDLE.rglob("*.cedar")]
    for path in [*rules, *BUNDLE.glob("*.toml"), *BUNDLE.glob("packs/*.toml")]:
        target = tmp_path / path.relative_to(BUNDLE)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert load(tmp_path).digest == bundle.digest
