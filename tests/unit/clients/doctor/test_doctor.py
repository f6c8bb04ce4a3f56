"""`narrowgate doctor` in a whole world: what is broken is named in words, and nothing of the records is."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.protocol.messages.vocabulary import Tier
from clients.cli import run
from clients.cli.main import app
from clients.remote import Answer
from tests.world import BROKER, CONTRIBUTORS, HOLDERS, POLICE, World, phone

pytestmark = pytest.mark.all_only  # a whole world: some seconds


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("doctor"), witnesses=3, quorum=2)
    for name in CONTRIBUTORS:
        made.deposit(name, range(3), highest_tier=Tier.SOURCES)
    yield made
    made.close()


@pytest.fixture
def world(shared: World, commands_reach: Callable[[World], None]) -> Iterator[World]:
    commands_reach(shared)
    before = shared.now
    yield shared
    shared.now = before
    shared.bring_up()


def _doctor(world: World, name: str, exit_code: int) -> dict[str, list[dict[str, Any]]]:
    result = CliRunner().invoke(app, ["doctor", str(world.folder / name), "--json"])
    assert result.exit_code == exit_code, result.output
    found: dict[str, list[dict[str, Any]]] = {}
    for each in json.loads(result.stdout)["findings"]:
        found.setdefault(each["about"], []).append(each)
        assert each["state"] == "ok" or each["what_to_do"]
    return found


def _of_state(found: dict[str, list[dict[str, Any]]], state: str) -> set[str]:
    return {about for about, lines in found.items() if any(line["state"] == state for line in lines)}


def test_all_is_well_and_nobody_s_log_grew_by_the_look(world: World) -> None:
    entries = len(world.log_kinds())
    found = _doctor(world, "company-2", 0)
    assert _of_state(found, "broken") == set()
    assert " of 3 cosigned" in found["witnesses"][0]["words"]
    assert found["key holders"][0]["state"] == "ok"
    assert len(world.log_kinds()) == entries


def test_in_words_each_line_says_ok_or_what_to_do(world: World) -> None:
    result = CliRunner().invoke(app, ["doctor", str(world.folder / "company-2")])
    assert result.exit_code == 0, result.output
    assert "ok      broker: Answers" in result.stdout
    assert "look at passphrase: " in result.stdout
    assert result.stdout.splitlines()[-1].startswith("0 broken, ")


def test_services_that_do_not_answer_are_broken_and_holders_are_counted(world: World) -> None:
    world.take_down(HOLDERS[1], HOLDERS[2])
    found = _doctor(world, "company-2", 1)
    assert "1 of 3 answer; 2 are needed" in found["key holders"][0]["words"]
    world.take_down(BROKER)
    assert "broker" in _of_state(_doctor(world, "company-2", 1), "broken")


def test_a_log_that_no_witness_cosigned_is_broken_and_one_of_last_month_looked_at(world: World) -> None:
    def uncosigned(answer: Answer) -> Answer:
        lines = [line for line in answer.body.splitlines(keepends=True) if b"witness-" not in line]
        return Answer(answer.status, answer.headers, b"".join(lines))

    with world.tamper(BROKER, "/checkpoint", answer=uncosigned):
        assert "witnesses" in _of_state(_doctor(world, "company-2", 1), "broken")
    world.now += 30 * 86_400
    assert "witnesses" in _of_state(_doctor(world, "company-2", 0), "look at")


def test_a_clock_that_is_off_is_broken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "clock", lambda: world.now - 300)
    found = _doctor(world, "company-2", 1)
    assert found["broker's clock"][0]["words"].startswith("It is 300 seconds ahead")


def test_a_home_that_others_can_read_is_broken(world: World) -> None:
    key = world.folder / "ngo-1" / "home.key"
    key.chmod(0o644)
    assert "permissions" in _of_state(_doctor(world, "ngo-1", 1), "broken")
    key.chmod(0o600)
    assert _of_state(_doctor(world, "ngo-1", 0), "broken") == set()


def test_a_folder_without_a_home_is_said_and_not_a_fault(world: World, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", str(tmp_path)])
    assert result.exit_code == 1
    assert "BROKEN  home: The home cannot be opened." in result.stdout


def test_what_is_left_to_do_is_counted_and_never_named(world: World) -> None:
    answer = world.ask([phone(1)])
    found = _doctor(world, POLICE, 0)
    assert "outcomes" in _of_state(found, "look at")
    text = json.dumps(found)
    assert answer.request_id.hex() not in text
    assert "900001" not in text
    soon = world.conditions("company-1").retain_until - 86_400
    world.now = soon
    assert "retention" in _of_state(_doctor(world, "company-1", 0), "look at")
