"""`narrowgate bundle` as a person without a network uses it, and the one who hands files in."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.protocol.messages.base import encode
from broker.store import parties
from clients.cli.main import app
from clients.demo import papers
from tests.world import BROKER, HOLDERS, POLICE, World

pytestmark = pytest.mark.all_only
Command = Callable[..., Result]


@pytest.fixture
def world(tmp_path: Path, commands_reach: Callable[[World], None]) -> Iterator[World]:
    made = World(tmp_path)
    commands_reach(made)
    yield made
    made.close()


def narrowgate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def told(*arguments: str | Path) -> dict[str, Any]:
    result = narrowgate(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_refused_request_is_carried_shown_delivered_and_asked_again(world: World, tmp_path: Path) -> None:
    home, signals, out = world.homes[POLICE].vault.directory, tmp_path / "numbers.csv", tmp_path / "r.jws"
    signals.write_text("phone\n+44 7700 900101\n")
    claims = papers.write(tmp_path / "claims.json", papers.claims("CASE-1", world.now))
    prepared = ("--tier", "hits", "--claims", claims, "--out", out)
    request = told("request", "prepare", home, signals, *prepared)["request_id"]

    # 1. Without the broker's key nothing is written that it could not read; the person is told whom to ask.
    told("bundle", "begin", home)
    before = len(world.wire.passed)
    waits = narrowgate("request", "send", home, request)
    assert waits.exit_code == 5
    assert "narrowgate bundle export" in waits.stderr
    lacks = narrowgate("bundle", "export", home, "--out", tmp_path / "stick")
    assert lacks.exit_code == 6
    assert "Ask its operator" in lacks.stderr

    # 2. With it, the file says on its outside what it is, and nothing of the case.
    key = tmp_path / "carry-key.jws"
    key.write_text(
        json.loads(world.wire.apps[BROKER].send("GET", f"{BROKER}/v1/carried/key", {})[2])["document"]
    )
    told("bundle", "begin", home, "--carry-key", key)
    assert len(world.wire.passed) == before
    [bundle] = told("bundle", "export", home, "--out", tmp_path / "stick")["bundles"]
    file, answers = tmp_path / "stick" / bundle["file"], tmp_path / "answers.bundle"
    shown = narrowgate("bundle", "show", file)
    assert "from: unit-1\nto: broker\n" in shown.stdout
    assert "file a request: 1 calls" in shown.stdout
    assert "CASE-1" not in shown.stdout
    assert narrowgate("bundle", "show", signals).exit_code == 6

    # 3. Somebody hands it in, the answers are read in once, and the refusal is told as over the network.
    own = tmp_path / "own.txt"
    own.write_text("mine")
    answers.symlink_to(own)
    told("bundle", "deliver", file, "--at", BROKER, "--out", answers)
    assert own.read_text() == "mine", "whoever prepared the stick writes nowhere else"
    assert narrowgate("bundle", "import", home, file).exit_code == 6
    assert not told("bundle", "import", home, answers)["repeated"]
    assert "Nothing changed" in narrowgate("bundle", "import", home, answers).stdout
    refused = narrowgate("request", "send", home, request)
    assert refused.exit_code == 3
    assert narrowgate("request", "send", home, request).exit_code == 3

    # 4. Forgotten, the same step waits anew; and back on the network, it is asked there.
    assert told("bundle", "forget-refusals", home)["forgotten"] == 1
    assert narrowgate("request", "send", home, request).exit_code == 5
    assert told("bundle", "end", home) == {"carrying": False, "waiting": 1}
    assert narrowgate("request", "send", home, request).exit_code == 3
    assert len(world.wire.passed) > before


def test_a_file_that_is_handed_in_at_the_wrong_door_comes_back_with_words(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "x.bundle"
    file.write_bytes(b"no bundle")
    refused = narrowgate("bundle", "deliver", file, "--at", BROKER, "--out", tmp_path / "answers")
    assert refused.exit_code == 6
    assert "not a carried bundle" in refused.stderr
    assert (
        narrowgate("bundle", "export", world.homes[POLICE].vault.directory, "--out", tmp_path).exit_code == 6
    )


def test_an_enrolment_is_handed_in_by_whoever_has_a_network_and_waits_for_the_operator(
    world: World, tmp_path: Path
) -> None:
    home = tmp_path / "ship"
    identity = ("--id", "ship-unit", "--name", "A unit at sea", "--kind", "police", "--jurisdiction", "NL")
    kid = told("agency", "init", home, *identity)["kid"]
    handed = told("bundle", "deliver", home / "enrolment.jws", "--at", BROKER)
    assert handed == {"kid": kid, "state": "pending"}
    assert told("bundle", "deliver", home / "enrolment.jws", "--at", BROKER)["kid"] == kid
    with world.broker.database.read() as connection:
        stored = parties.enrolment(connection, kid)
    assert stored is not None
    assert stored.state == "pending"
    torn = tmp_path / "torn.jws"
    torn.write_bytes((home / "enrolment.jws").read_bytes()[:-2])
    refused = narrowgate("bundle", "deliver", torn, "--at", BROKER, "--out", tmp_path / "answers")
    assert refused.exit_code == 6


def test_a_file_is_not_handed_in_where_nobody_said_what_is_to_become_of_the_answers(
    world: World, tmp_path: Path
) -> None:
    home, key = world.homes["company-1"].vault.directory, tmp_path / "carry-key.jws"
    key.write_text(
        json.loads(world.wire.apps[BROKER].send("GET", f"{BROKER}/v1/carried/key", {})[2])["document"]
    )
    told("bundle", "begin", home, "--carry-key", key)
    assert narrowgate("deposit", "statistics", home).exit_code == 5
    [bundle] = told("bundle", "export", home, "--out", tmp_path / "stick")["bundles"]
    before = len(world.wire.passed)
    refused = narrowgate("bundle", "deliver", tmp_path / "stick" / bundle["file"], "--at", BROKER)
    assert refused.exit_code == 6
    assert "--out" in refused.stderr
    assert len(world.wire.passed) == before


def test_types_of_one_file_travel_together(world: World, tmp_path: Path) -> None:
    home, signals = world.homes["company-1"].vault.directory, tmp_path / "signals.csv"
    signals.write_text("phone,email\n+44 7700 900101,a@example.org\n")
    conditions, key = tmp_path / "conditions.json", tmp_path / "carry-key.jws"
    conditions.write_bytes(encode(world.conditions("company-1")))
    key.write_text(
        json.loads(world.wire.apps[BROKER].send("GET", f"{BROKER}/v1/carried/key", {})[2])["document"]
    )
    told("bundle", "begin", home, "--carry-key", key)
    trips, files = 0, 0
    while (done := narrowgate("deposit", "add", home, signals, "--conditions", conditions)).exit_code == 5:
        trips += 1
        for bundle in told("bundle", "export", home, "--out", tmp_path / "stick")["bundles"]:
            at = {"broker": BROKER}.get(bundle["recipient"]) or HOLDERS[int(bundle["recipient"][-1])]
            file, answers = tmp_path / "stick" / bundle["file"], tmp_path / "answers.bundle"
            told("bundle", "deliver", file, "--at", at, "--out", answers)
            told("bundle", "import", home, answers)
            files += 1
    assert done.exit_code == 0, done.output
    assert (trips, files) == (5, 3 + 3 + 1 + 3 + 1)
