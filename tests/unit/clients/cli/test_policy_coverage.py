"""`narrowgate policy coverage`: the page for a lawyer, as a file or on the terminal."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from broker.gate.bundle import load
from clients.cli.main import app
from tests.gate_world import BUNDLE


def coverage(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["policy", "coverage", "--bundle", str(BUNDLE), *arguments])


def test_the_page_is_written_for_a_day_and_names_the_bundle(tmp_path: Path) -> None:
    result = coverage("--out", str(tmp_path / "page.md"), "--date", "2026-11-26")
    assert result.exit_code == 0, result.output
    written = (tmp_path / "page.md").read_text()
    assert written.startswith("# Law, rules and scenarios")
    assert f"Bundle `{load(BUNDLE).digest.hex()}`, on 2026-11-26." in written
    assert coverage("--date", "2026-11-26").stdout == written


def test_as_json_each_law_has_its_rules_with_their_scenarios() -> None:
    result = coverage("--json")
    assert result.exit_code == 0, result.output
    covered = json.loads(result.stdout)
    (law,) = (each for each in covered["laws"] if each["name"] == "CJEU C-746/18 Prokuratuur")
    rules = {rule["id"]: rule for rule in law["rules"]}
    names = {each["name"] for each in rules["L09"]["scenarios"]}
    assert "DENY/one-approver-for-sources" in names
    assert all(each["story"] for each in rules["L09"]["scenarios"])


def test_a_day_that_is_none_is_bad_input() -> None:
    assert coverage("--date", "yesterday").exit_code == 6
