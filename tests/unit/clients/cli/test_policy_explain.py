"""`narrowgate policy explain`: who has a file of facts, or a logged decision, is told why and what was needed."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from broker.gate.bundle import load
from broker.gate.decide import decide_admission
from broker.protocol.messages.vocabulary import Tier
from clients.cli.main import app
from tests.gate_world import BUNDLE, admit_facts, series, three_series

DENIED = BUNDLE / "scenarios" / "DENY"


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["policy", "explain", "--bundle", str(BUNDLE), *arguments])


def test_a_refusal_is_told_by_rule_law_and_what_was_needed() -> None:
    result = explain("--facts", str(DENIED / "fishing-with-six-hundred-identifiers.json"))
    assert result.exit_code == 0, result.output
    assert "DENY, decided as hits" in result.stdout
    assert "L06: Too many identifiers" in result.stdout
    assert "Directive (EU) 2016/680 art 4(1)(c)" in result.stdout
    assert "refuses 3 of 3 series" in result.stdout
    assert (
        "needed: where tier is hits: identifiers: at most 500, the limit hits_identifiers (600 now)"
        in result.stdout
    )


def test_the_same_as_json_has_the_facts_by_name() -> None:
    result = explain("--facts", str(DENIED / "one-approver-for-sources.json"), "--json")
    said = json.loads(result.stdout)
    (refusing,) = said["refusing"]
    (ground,) = refusing["grounds"]
    assert (said["outcome"], refusing["rule"], len(ground["series"])) == ("DENY", "L09", 3)
    two, _ = ground["needed"]["one_of"]
    assert two == {"words": "approvers: at least 2 (1 now)", "facts": {"context.people.approvers": 1}}


def test_an_allow_says_which_series_were_left_out_and_why(tmp_path: Path) -> None:
    decision = decide_admission(
        load(BUNDLE), admit_facts(series=(*three_series(), series(4, highest_tier=Tier.COUNT)))
    )
    (tmp_path / "decision.json").write_text(decision.text)
    result = explain("--decision", str(tmp_path / "decision.json"))
    assert result.exit_code == 0, result.output
    assert "ALLOW, decided as hits" in result.stdout
    assert "refuses 1 of 4 series" in result.stdout
    assert "deposit's permitted tiers: with the tier, hits (count now)" in result.stdout


def test_a_recorded_verdict_that_was_tampered_with_is_not_explained(tmp_path: Path) -> None:
    decision = decide_admission(load(BUNDLE), admit_facts(identifiers=600, points=600))
    (tmp_path / "decision.json").write_text(decision.text.replace('"outcome":"DENY"', '"outcome":"ALLOW"'))
    assert explain("--decision", str(tmp_path / "decision.json")).exit_code == 4


def test_facts_or_a_decision_are_asked_for_and_never_both(tmp_path: Path) -> None:
    facts = str(DENIED / "one-approver-for-sources.json")
    assert explain().exit_code == 6
    assert explain("--facts", facts, "--decision", facts).exit_code == 6
    (tmp_path / "decision.json").write_bytes(b"\xff")
    assert explain("--decision", str(tmp_path / "decision.json")).exit_code == 6


def test_the_example_in_the_gates_page_is_what_is_printed() -> None:
    page = (BUNDLE.parent / "docs" / "gate.md").read_text(encoding="utf-8")
    shown = page[page.index("$ narrowgate policy explain") :].split("```")[0].splitlines()[1:]
    result = explain("--facts", str(DENIED / "one-approver-for-sources.json"))
    assert result.stdout.splitlines()[: len(shown)] == shown
