"""`narrowgate policy test` and `policy boundaries`: the real bundle, and copies of it with something wrong."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from broker.gate.bundle import load
from broker.gate.testing import scoring
from broker.gate.testing.boundaries import read_boundaries
from broker.gate.testing.mutants.rules import rule_mutants
from clients.cli.main import app
from tests.gate_world import BUNDLE

pytestmark = pytest.mark.all_only


def _policy(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["policy", *arguments])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The bundle, to be changed."""
    return Path(shutil.copytree(BUNDLE, tmp_path / "policies"))


def test_the_bundle_that_comes_along_passes() -> None:
    result = _policy("test", "--bundle", str(BUNDLE), "--json")
    assert result.exit_code == 0, result.output
    tested = json.loads(result.stdout)
    assert tested["failed"] == []
    assert tested["scenarios"]["passed"] >= 65
    assert tested["boundaries"]["passed"] > 100


def test_a_rule_that_was_changed_fails_by_name_story_and_decision(copy: Path) -> None:
    rules = copy / "limits" / "release.cedar"
    rules.write_text(rules.read_text().replace("context.result.hits <=", "context.result.hits <"))
    limits = copy / "limits.toml"
    limits.write_text(limits.read_text().replace("released_hits = 25", "released_hits = 5"))
    result = _policy("test", "--bundle", str(copy))
    assert result.exit_code == 4
    assert "ALLOW/five-hits-leave" in result.stdout
    assert "expected ALLOW as hits by G2, decided DENY as hits by L16" in result.stdout
    told = json.loads(_policy("test", "--bundle", str(copy), "--json").stdout)
    [story] = [each for each in told["failed"] if each["name"] == "ALLOW/five-hits-leave"]
    assert story["story"]
    assert story["decided"]["rules"] == ["L16"]


def test_mutants_are_not_tried_on_cases_that_fail(copy: Path) -> None:
    limits = copy / "limits.toml"
    limits.write_text(limits.read_text().replace("answer_days = 365", "answer_days = 30"))
    result = _policy("test", "--bundle", str(copy), "--mutation")
    assert result.exit_code == 4
    assert "Mutants were not tried" in result.stdout
    assert _policy("boundaries", "--bundle", str(copy), "--write").exit_code == 4


def test_a_scenario_that_is_none_is_bad_input(copy: Path) -> None:
    (copy / "scenarios" / "DENY" / "empty.json").write_text("{}")
    result = _policy("test", "--bundle", str(copy))
    assert result.exit_code == 6
    assert "DENY/empty" in result.output


def test_a_boundary_case_whose_story_is_gone_says_what_to_do(copy: Path) -> None:
    base = read_boundaries(copy)[0].base
    (copy / "scenarios" / f"{base}.json").unlink()
    result = _policy("test", "--bundle", str(copy))
    assert result.exit_code == 6
    assert "narrowgate policy boundaries --write" in result.output


def test_a_rule_that_no_case_shows_is_too_little_and_is_named_with_a_case_that_would(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of all mutants only two, since all of them take minutes.
    of_one = [
        mutant for mutant in rule_mutants(load(BUNDLE)) if mutant.name in ("L22, deleted", "D2, deleted")
    ]
    monkeypatch.setattr(scoring, "all_mutants", lambda bundle: of_one)
    (copy / "scenarios" / "boundaries.json").unlink()
    (copy / "scenarios" / "DENY" / "a-payload-where-there-is-none.json").unlink()
    result = _policy("test", "--bundle", str(copy), "--mutation", "--json")
    assert result.exit_code == 4
    found = json.loads(result.stdout)["mutation"]
    assert (found["mutants"], found["killed"], found["percent"]) == (2, 1, 50)
    [alive] = found["different_but_alive"]
    assert alive["mutant"] == "L22, deleted"
    facts = copy / "facts.json"
    facts.write_text(json.dumps(alive["killed_by_facts"]))
    decided = _policy("decide", "--bundle", str(BUNDLE), "--facts", str(facts), "--json")
    assert "L22" in json.loads(decided.stdout)["rules"]
    words = _policy("test", "--bundle", str(copy), "--mutation")
    assert "lives: L22, deleted" in words.stdout


@pytest.mark.all_only
def test_the_scenarios_kill_at_least_95_of_100_mutants_that_differ() -> None:
    """Takes minutes: thousands of mutants, and the prover for those that live."""
    result = _policy("test", "--bundle", str(BUNDLE), "--mutation", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["mutation"]
    assert found["percent"] >= found["least_percent"] == 95
    assert found["mutants"] > 2500
    alive = len(found["different_but_alive"])
    assert found["mutants"] == found["killed"] + alive + len(found["not_different"])
    for each in found["different_but_alive"]:
        assert each["mutant"]
