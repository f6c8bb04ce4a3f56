"""From two officers' keys to rules in force at a broker, by the commands that people type."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.gate.bundle import load
from clients.cli.main import app
from tests.rules import changed_rules, forbidding

SINCE = "2026-01-31"


def run(*arguments: object, code: int = 0) -> Any:
    """A command's answer in JSON."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def words(*arguments: object) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return changed_rules(tmp_path / "rules", lambda text: text + "# to be signed\n")


@pytest.fixture
def officers(tmp_path: Path) -> tuple[Path, Path]:
    """Two officers' folders."""
    for name in ("one", "two"):
        run("policy", "officer", tmp_path / name, "--id", name, "--name", name, "--office", "legal officer")
    return tmp_path / "one", tmp_path / "two"


def sign(officer: Path, rules: Path, *more: object, since: str = SINCE, code: int = 0) -> Any:
    what = ("--bundle", rules, "--valid-from", since, "--changes", "As the test says")
    return run("policy", "sign", officer, *what, *more, code=code)


def test_two_officers_sign_and_a_broker_puts_it_in_force(
    tmp_path: Path, rules: Path, officers: tuple[Path, Path]
) -> None:
    broker, digest = tmp_path / "broker", load(rules).digest.hex()
    run("broker", "init", broker)
    activate = ("broker", "activate", broker, "--bundle", rules, "--trial")
    assert "pinned here: 0" in run(*activate, code=6)["detail"]
    pins = [item for officer in officers for item in ("--pin", officer / "officer.jws")]
    known = run("broker", "officer", broker, *pins)["officers"]
    assert [each["officer_id"] for each in known] == ["one", "two"]
    assert "not signed" in run(*activate, code=4)["detail"]
    signed = sign(officers[0], rules)
    assert (signed["bundle_digest"], signed["previous_digest"]) == (digest, None)
    assert (signed["valid_from"], signed["rules"]) == (1_769_817_600, len(load(rules).rules))
    assert "stands alone" in run(*activate, code=4)["detail"]
    sign(officers[1], rules)
    done = run(*activate)
    assert (done["bundle_digest"], done["valid_from"], done["log_index"]) == (digest, 1_769_817_600, 0)
    assert run(*activate)["log_index"] is None
    assert (broker / "bundles" / digest / "schema.cedarschema").exists()
    assert "was in force already" in words(*activate)


def test_rules_that_replace_others_say_which_are_new(
    tmp_path: Path, rules: Path, officers: tuple[Path, Path]
) -> None:
    newer = forbidding(tmp_path / "newer", "release", 'context.tier == "hits"')
    signed = sign(officers[0], newer, "--replaces", rules)
    assert signed["previous_digest"] == load(rules).digest.hex()
    assert (signed["new_rules"], signed["rules_gone"], signed["rules_reworded"]) == (["L98"], [], [])
    what = ("--bundle", newer, "--valid-from", "2026-02-01T12:30:00", "--changes", "One rule more")
    said = words("policy", "sign", officers[0], *what, "--replaces", rules)
    assert "In force from 2026-02-01 12:30:00 UTC" in said
    assert "new_rules: L98" in said


def test_rules_whose_time_has_not_come_are_refused_with_the_date(
    tmp_path: Path, rules: Path, officers: tuple[Path, Path]
) -> None:
    broker = tmp_path / "broker"
    run("broker", "init", broker)
    for officer in officers:
        run("broker", "officer", broker, "--pin", officer / "officer.jws")
        sign(officer, rules, since="9000-01-01")
    told = run("broker", "activate", broker, "--bundle", rules, "--trial", code=6)
    assert (told["problem"], "9000-01-01" in told["detail"]) == ("expired", True)


def test_an_officer_is_unpinned(tmp_path: Path, officers: tuple[Path, Path]) -> None:
    broker = tmp_path / "broker"
    run("broker", "init", broker)
    run("broker", "officer", broker, "--pin", officers[0] / "officer.jws")
    assert run("broker", "officer", broker, "--unpin", "one")["officers"] == []
    assert "No officer is pinned" in words("broker", "officer", broker)
    run("broker", "officer", broker, "--unpin", "one", code=6)
    (tmp_path / "none.jws").write_text("no document")
    run("broker", "officer", broker, "--pin", tmp_path / "none.jws", code=6)
    run("broker", "officer", broker, "--pin", tmp_path / "missing.jws", code=6)


@pytest.mark.parametrize("since", ["soon", "2026-01-31T00:00:00+01:00", "31.1.2026"])
def test_a_time_that_is_none_is_bad_input(rules: Path, officers: tuple[Path, Path], since: str) -> None:
    assert "--valid-from" in sign(officers[0], rules, since=since, code=6)["detail"]


def test_without_trial_a_broker_puts_nothing_in_force(tmp_path: Path, rules: Path) -> None:
    broker = tmp_path / "broker"
    run("broker", "init", broker)
    told = run("broker", "activate", broker, "--bundle", rules, code=6)
    assert "No witness is configured" in told["detail"]
