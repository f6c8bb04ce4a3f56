"""`narrowgate request export`: an answered request as CSV, JSON and STIX, the same every time."""

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import stix2
from typer.testing import CliRunner, Result

from broker.protocol.messages.vocabulary import Tier
from clients.cli import run
from clients.cli.main import app
from clients.readers import Signal, read_file
from tests.messages_examples import CLAIMS
from tests.requester_world import RequesterWorld, phone

ROOT = Path(__file__).parents[4]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RequesterWorld:
    world = RequesterWorld(tmp_path)
    world.deal("phone", [phone(1), phone(2), phone(77)])
    monkeypatch.setattr(run, "new_transport", lambda: world)
    monkeypatch.setattr(run, "clock", world.clock)
    return world


@pytest.fixture
def answered(world: RequesterWorld) -> str:
    """A request that was answered with two hits."""
    prepared = world.requester().prepare({"phone": [phone(1), phone(2), phone(3)]}, CLAIMS, Tier.HITS)
    world.requester().run(prepared.request_id)
    return prepared.request_id.hex()


def export(world: RequesterWorld, request_id: str, *arguments: str, expect: int = 0) -> Result:
    command = ["request", "export", "@unit-1", request_id, *arguments]
    result = CliRunner().invoke(app, [item.replace("@", f"{world.directory}/") for item in command])
    assert result.exit_code == expect, result.output + result.stderr
    return result


@pytest.mark.parametrize("to", ["csv", "json", "stix"])
def test_every_format_is_private_tells_the_hits_and_is_the_same_twice(
    world: RequesterWorld, answered: str, to: str
) -> None:
    out = world.directory / "hits.out"
    told = json.loads(export(world, answered, "--format", to, "--out", "@hits.out", "--json").stdout)
    assert told == {"request_id": answered, "format": to, "hits": 2, "file": str(out)}
    first = out.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    for number, is_hit in ((1, True), (2, True), (3, False)):
        assert (phone(number).partition("|")[2].encode() in first) is is_hit
    world.now += 86_400
    assert "only you can read" in export(world, answered, "--format", to, "--out", "@hits.out").stdout
    assert out.read_bytes() == first


@pytest.mark.parametrize(("to", "ending"), [("csv", ".csv"), ("stix", ".json")])
def test_what_was_exported_can_be_asked_about_again(
    world: RequesterWorld, answered: str, to: str, ending: str
) -> None:
    export(world, answered, "--format", to, "--out", f"@hits{ending}")
    items = list(read_file(world.directory / f"hits{ending}", only_asking=True))
    assert {item.canonical.text for item in items if isinstance(item, Signal)} == {phone(1), phone(2)}


def test_a_bundle_is_taken_strictly_and_marked_as_asked(world: RequesterWorld, answered: str) -> None:
    for options, light in (((), "TLP:RED"), (("--tlp", "amber"), "TLP:AMBER")):
        export(world, answered, "--format", "stix", "--out", "@hits.json", *options)
        bundle = stix2.parse((world.directory / "hits.json").read_text(encoding="utf-8"), allow_custom=False)
        assert bundle.objects[0].name == light
        assert answered in bundle.objects[1].definition.statement
    refused = export(world, answered, "--format", "csv", "--out", "@hits.csv", "--tlp", "red", expect=6)
    assert "no place for a marking" in refused.stderr


def test_what_has_no_hits_is_refused_in_words(world: RequesterWorld) -> None:
    prepared = world.requester().prepare({"phone": [phone(1)]}, CLAIMS, Tier.HITS)
    early: Any = export(world, prepared.request_id.hex(), "--format", "csv", "--out", "@hits.csv", expect=6)
    assert "not answered yet" in early.stderr
    assert not (world.directory / "hits.csv").exists()


def test_all_csv_of_the_clients_goes_through_one_writer() -> None:
    # The demo makes up the files that agencies would bring along.
    made = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "clients").rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)", path.read_text(encoding="utf-8"))
    }
    assert made == {"clients/demo/files.py", "clients/writers/csv_text.py"}
