"""STIX bundles and MISP events on the command line: deposited as their marking allows, asked about whatever it says."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.protocol.messages.base import encode
from clients.cli import run
from clients.cli.main import app
from clients.depositing.deposit_folder import all_deposits
from tests.contributor_case import CONDITIONS, ContributorCase
from tests.requester_world import RequesterWorld

RED = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"


def bundle() -> str:
    """Three numbers, the second for no other eyes."""
    objects = [
        {
            "type": "indicator",
            "id": f"indicator--00000000-0000-4000-8000-00000000000{number}",
            "pattern": f"[phone-number:value = '+44 7700 90000{number}']",
            "pattern_type": "stix",
            **({"object_marking_refs": [RED]} if number == 2 else {}),
        }
        for number in (1, 2, 3)
    ]
    return json.dumps({"type": "bundle", "objects": objects})


def event() -> str:
    attributes = [{"type": "phone-number", "value": f"+44 7700 90000{number}"} for number in (1, 2, 3)]
    attributes[1]["Tag"] = [{"name": "tlp:red"}]  # type: ignore[assignment]  # an attribute's tags are a list
    return json.dumps({"Event": {"info": "Example", "Attribute": attributes}})


def narrowgate(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert "900002" not in result.output
    return result


@pytest.fixture
def case(tmp_path: Path, commands_reach: Callable[[ContributorCase], None]) -> Iterator[ContributorCase]:
    made = ContributorCase(tmp_path)
    commands_reach(made)
    made.found()
    yield made
    made.close()


@pytest.mark.parametrize(("text", "unit"), [(bundle(), "object"), (event(), "attribute")])
def test_a_deposit_leaves_out_what_its_author_marked_for_fewer_eyes(
    case: ContributorCase, text: str, unit: str
) -> None:
    file, conditions, refused = (case.folder / name for name in ("in.json", "conditions.json", "refused.csv"))
    file.write_text(text)
    conditions.write_bytes(encode(CONDITIONS))
    home = case.company.vault.directory
    add = ("deposit", "add", home, file, "--conditions", conditions, "--refused", refused)
    tried = narrowgate(*add, "--dry-run")
    assert f"{unit} 2: " in tried.stderr
    assert "TLP:RED" in tried.stderr
    assert list(all_deposits(case.company)) == []
    told: Any = json.loads(narrowgate(*add, "--json").stdout)
    assert told["identifiers"] == {"phone": 2}
    assert [(row["unit"], row["line"]) for row in told["refused"]] == [(unit, 2)]
    assert f"{unit} 2," in refused.read_text()


@pytest.mark.parametrize("text", [bundle(), event()])
def test_a_request_may_be_about_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    world = RequesterWorld(tmp_path)
    monkeypatch.setattr(run, "new_transport", lambda: world)
    monkeypatch.setattr(run, "clock", world.clock)
    (tmp_path / "in.json").write_text(text)
    claims, out = tmp_path / "claims.json", tmp_path / "request.jws"
    narrowgate("request", "claims-template", "--out", claims)
    prepare = ("request", "prepare", world.directory / "unit-1", tmp_path / "in.json", "--tier", "hits")
    told = json.loads(narrowgate(*prepare, "--claims", claims, "--out", out, "--json").stdout)
    assert (told["types"], told["refused_rows"]) == ({"phone": 3}, 0)
