"""`narrowgate canonicalise`: a line in, a line out, and never an error for what a line holds."""

import json
from pathlib import Path

from typer.testing import CliRunner

from clients.cli.main import app
from clients.identifiers import registered_types

VECTORS = Path(__file__).parents[3] / "vectors"


def test_each_line_gets_its_line_and_the_end_is_always_good() -> None:
    lines = [
        json.dumps({"type": "phone", "raw": "07700 900123", "hint": "GB"}),
        json.dumps({"type": "phone", "raw": "call me"}),
        "not json",
        json.dumps({"type": "email", "raw": "Alice@EXAMPLE.org"}),
    ]
    result = CliRunner().invoke(app, ["canonicalise"], input="\n".join(lines) + "\n")
    assert result.exit_code == 0
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert answers[0]["canonical"] == "phone/1|+447700900123"
    assert ["rejected" in answer for answer in answers] == [False, True, True, False]
    assert "call me" not in result.output


def test_damaged_bytes_are_a_rejected_line_and_not_a_crash() -> None:
    result = CliRunner().invoke(app, ["canonicalise"], input=b"\xff\xfe\n{}\n")
    assert result.exit_code == 0
    assert ["rejected" in json.loads(line) for line in result.stdout.splitlines()] == [True, True]


def test_every_shared_case_holds_through_the_command() -> None:
    cases = json.loads((VECTORS / "canonical_forms.json").read_text(encoding="utf-8"))
    cases = [case for case in cases if case["type"] in registered_types()]
    lines = [json.dumps({name: case[name] for name in ("type", "raw", "hint")}) for case in cases]
    result = CliRunner().invoke(app, ["canonicalise"], input="\n".join(lines) + "\n")
    answers = [json.loads(line).get("canonical", "reject") for line in result.stdout.splitlines()]
    assert answers == [
        case["expected"] if case["expected"] == "reject" else f"{case['type']}/1|{case['expected']}"
        for case in cases
    ]
