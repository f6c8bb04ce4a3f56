"""`narrowgate policy`: the real bundle, asked by a person with a file of facts."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from clients.cli.main import app
from tests.contributor_case import CONDITIONS, NOW, POLICIES


def _facts(path: Path, **conditions: Any) -> Path:
    deposit = {
        "now": NOW,
        "space_id": "00" * 16,
        "contributor": {
            "agency_id": "adverts-company",
            "kind": "company",
            "jurisdiction": "IE",
            "mandates": [],
            "suspended": False,
        },
        "identifier_type": "phone",
        "conditions": CONDITIONS.model_dump(mode="json") | conditions,
        "records": 100,
        "declaration_digest": "00" * 32,
    }
    path.write_text(json.dumps({"deposit": deposit}))
    return path


def _decide(facts: Path, *more: str) -> Result:
    arguments = ["policy", "decide", "--bundle", str(POLICIES), "--facts", str(facts), *more]
    return CliRunner().invoke(app, arguments)


def test_a_deposit_in_order_is_allowed_with_zero(tmp_path: Path) -> None:
    result = _decide(_facts(tmp_path / "facts.json"), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["outcome"] == "ALLOW"


def test_a_deposit_no_person_looked_at_is_refused_with_three_and_its_rule(tmp_path: Path) -> None:
    result = _decide(_facts(tmp_path / "facts.json", reviewed_by_person=False), "--json")
    assert result.exit_code == 3
    decision = json.loads(result.stdout)
    assert decision["outcome"] == "DENY"
    assert decision["rules"]
    assert len(decision["rules"]) == len(decision["reasons"]) == len(decision["law"])
    assert len(decision["digest"]) == 64
    words = _decide(_facts(tmp_path / "facts.json", reviewed_by_person=False))
    assert decision["reasons"][0] in words.stdout


def test_facts_that_are_none_are_bad_input(tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text('{"deposit": {}}')
    assert _decide(tmp_path / "facts.json").exit_code == 6


def test_a_folder_without_rules_is_bad_input(tmp_path: Path) -> None:
    arguments = ["policy", "check", "--bundle", str(tmp_path)]
    assert CliRunner().invoke(app, arguments).exit_code == 6


def test_the_bundle_that_comes_along_is_sound() -> None:
    result = CliRunner().invoke(app, ["policy", "check", "--bundle", str(POLICIES), "--json"])
    assert result.exit_code == 0, result.output
    checked = json.loads(result.stdout)
    assert all(rule["reason"] and rule["law"] for rule in checked["rules"])
