"""`narrowgate policy prove` and `policy diff`: a lawyer changes a rule and is told what that does to every request."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clients.cli.main import app
from tests.gate_world import BUNDLE

pytestmark = pytest.mark.all_only


def policy(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["policy", *arguments])


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The bundle after a slip: a person's refusal does not count unless two refuse."""
    target = tmp_path / "changed"
    shutil.copytree(BUNDLE, target)
    file = target / "limits" / "proportion.cedar"
    text = file.read_text()
    assert "context.people.refusers > 0" in text
    file.write_text(text.replace("context.people.refusers > 0", "context.people.refusers > 1"))
    return target


def test_an_invariant_that_holds_is_proved_with_zero() -> None:
    result = policy("prove", "--bundle", str(BUNDLE), "--invariant", "a_persons_refusal_is_final", "--json")
    assert result.exit_code == 0, result.output
    (proved,) = json.loads(result.stdout)["invariants"]
    assert (proved["name"], proved["proved"]) == ("a_persons_refusal_is_final", True)
    assert proved["milliseconds"] >= 0
    assert proved["law"]


def test_an_invariant_that_fails_ends_with_four_and_a_request_that_policy_decide_takes(
    changed: Path, tmp_path: Path
) -> None:
    result = policy("prove", "--bundle", str(changed), "--invariant", "a_persons_refusal_is_final", "--json")
    assert result.exit_code == 4, result.output
    (broken,) = json.loads(result.stdout)["invariants"]
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps(broken["requests"][0]["facts"]))
    assert policy("decide", "--bundle", str(changed), "--facts", str(facts)).exit_code == 0
    refused = policy("decide", "--bundle", str(BUNDLE), "--facts", str(facts), "--json")
    assert (refused.exit_code, json.loads(refused.stdout)["rules"]) == (3, ["L09a"])


def test_in_words_a_broken_invariant_says_what_it_is_about_and_shows_the_request(changed: Path) -> None:
    result = policy("prove", "--bundle", str(changed), "--invariant", "a_persons_refusal_is_final")
    assert result.exit_code == 4
    assert "BROKEN" in result.stdout
    assert "nobody else's approval helps" in result.stdout
    assert "This is decided ALLOW" in result.stdout
    assert '"refusers"' in result.stdout
    assert "0 of 1 invariants proved" in result.stdout


def test_an_invariant_that_is_none_is_bad_input() -> None:
    result = policy("prove", "--bundle", str(BUNDLE), "--invariant", "never_anything")
    assert result.exit_code == 6
    assert "no invariant of that name" in result.stderr


def test_equal_bundles_are_equivalent() -> None:
    result = policy("diff", str(BUNDLE), str(BUNDLE), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["equivalent"] is True


def test_a_slip_shows_as_deny_to_allow_with_the_rules_of_both_sides(changed: Path) -> None:
    result = policy("diff", str(BUNDLE), str(changed), "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["equivalent"] is False
    assert {each["action"] for each in told["differences"]} == {"admit", "release"}
    for each in told["differences"]:
        assert each["old"] == {"outcome": "DENY", "rules": ["L09a"]}
        assert each["new"]["outcome"] == "ALLOW"
    words = policy("diff", str(BUNDLE), str(changed)).stdout
    assert "DENY to ALLOW (admit)" in words
    assert "old: DENY by L09a" in words


def test_without_the_solver_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "z3", None)
    result = policy("prove", "--bundle", str(BUNDLE))
    assert result.exit_code == 6
    assert "[policy]" in result.stderr


def test_without_the_solver_everything_else_about_rules_works() -> None:
    program = "import sys; sys.modules['z3'] = None; from clients.cli.main import main; main()"
    checked = subprocess.run(
        [sys.executable, "-c", program, "policy", "check", "--bundle", str(BUNDLE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "sound" in checked.stdout
