"""`narrowgate doctor` on a broker's, a key holder's and a witness's folder, beside services that run.

Each fault is planted in a copy of the folder, or on the wire; what is found is said in words, and nobody's log grows.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.gate.bundle import load
from broker.gate.shelf import SHELF_FOLDER, BundleShelf
from clients.cli import run
from clients.cli.main import app
from clients.keyholder.high_water import HighWater, beside
from clients.keyholder.keys import draw_next_log_key
from clients.keyholder.log_keys import change
from clients.rule_officer import Officer
from tests import rules
from tests.broker_case import seeded
from tests.recovery_case import make_folder
from tests.witness_case import GrownLog, WitnessCase
from tests.world import BROKER, HOLDERS, WITNESSES, World

pytestmark = pytest.mark.all_only  # a whole world: some seconds


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("services"), witnesses=3, quorum=2)
    for name in ("company-1", "company-2", "ngo-1"):
        made.deposit(name, range(3))
    make_folder(made.folder / "broker", made, made.settings.database_url)
    yield made
    made.close()


@pytest.fixture
def world(shared: World, commands_reach: Callable[[World], None]) -> Iterator[World]:
    commands_reach(shared)
    before = shared.now
    yield shared
    shared.now = before
    shared.bring_up()


Found = dict[str, list[dict[str, Any]]]


def _doctor(directory: Path, exit_code: int, *options: str) -> Found:
    result = CliRunner().invoke(app, ["doctor", str(directory), "--json", *options])
    assert result.exit_code == exit_code, result.output
    found: Found = {}
    for each in json.loads(result.stdout)["findings"]:
        found.setdefault(each["about"], []).append(each)
        assert each["state"] == "ok" or each["what_to_do"]
    return found


def _broken(found: Found) -> set[str]:
    return {about for about, lines in found.items() if any(line["state"] == "broken" for line in lines)}


def _words(found: Found, about: str) -> str:
    return " ".join(f"{line['words']} {line['what_to_do']}" for line in found[about])


def _copy(world: World, name: str, tmp_path: Path) -> Path:
    """The folder of a service, as a backup made beside it while it runs would have it."""
    source, copied = world.folder / name, tmp_path / name
    copied.mkdir(mode=0o700)
    for path in source.iterdir():
        if path.name.startswith("officers") or path.name == SHELF_FOLDER:
            shutil.copytree(path, copied / path.name)
        elif path.suffix == ".sqlite":
            _copy_database(path, copied / path.name)
        elif "sqlite" not in path.name:
            shutil.copy2(path, copied / path.name)
    if beside(source).exists():
        shutil.copy2(beside(source), beside(copied))
    return copied


def _copy_database(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as opened, sqlite3.connect(target) as copied:
        opened.backup(copied)
        copied.execute("PRAGMA journal_mode=WAL")
    target.chmod(0o600)
    opened.close()
    copied.close()


def _change(database: Path, statement: str) -> None:
    with sqlite3.connect(database) as opened:
        opened.execute(statement)
    opened.close()


# --- all is well ---


def test_a_sound_broker_that_runs_is_well_and_its_log_does_not_grow(world: World) -> None:
    entries = len(world.log_kinds())
    found = _doctor(world.folder / "broker", 0)
    assert f"{entries} entries" in _words(found, "log")
    assert {line["state"] for about in ("files", "database", "rules", "broker") for line in found[about]} == {
        "ok"
    }
    assert {f"witness witness-{number}.example.org" for number in WITNESSES} <= set(found)
    assert {f"key holder Holder {x}" for x in HOLDERS} <= set(found)
    assert "rules in force" in _words(found, "space Example space")
    assert len(world.log_kinds()) == entries


def test_a_sound_key_holder_that_runs_is_well_and_a_trial_is_said(world: World) -> None:
    found = _doctor(world.folder / "holder-1", 0)
    assert found["this key holder's service"][0]["state"] == "ok"
    assert found["high-water mark"][0]["state"] == "ok"
    assert found["witnesses"][0]["state"] == "look at"
    assert found["space Example space"][0]["state"] == "ok"
    assert found["broker"][0]["state"] == "ok"


def test_a_sound_witness_that_runs_is_well(world: World) -> None:
    found = _doctor(world.folder / "witness-1", 0)
    assert {line["state"] for lines in found.values() for line in lines} == {"ok"} | (
        {"look at"} if found["disk"][0]["state"] != "ok" else set()
    )
    assert "entries are cosigned" in _words(found, "log broker.example.org/log")


def test_nothing_of_the_records_and_no_key_is_told(world: World) -> None:
    for name in ("broker", "holder-1", "witness-1"):
        text = json.dumps(_doctor(world.folder / name, 0))
        for secret in (world.space.space_id.hex(), "company-1", "ngo-1", "unit-1", "900001"):
            assert secret not in text


# --- modes and keys ---


@pytest.mark.parametrize("name", ["broker", "holder-1", "witness-1"])
def test_a_folder_that_others_can_open_is_broken(world: World, tmp_path: Path, name: str) -> None:
    copied = _copy(world, name, tmp_path)
    copied.chmod(0o755)
    found = _doctor(copied, 1, "--offline")
    assert _broken(found) & {"permissions", "the broker's folder"}


@pytest.mark.parametrize("name", ["broker", "holder-1", "witness-1"])
def test_a_key_file_that_others_can_read_is_broken(world: World, tmp_path: Path, name: str) -> None:
    copied = _copy(world, name, tmp_path)
    (copied / "keys.json").chmod(0o640)
    assert _broken(_doctor(copied, 1, "--offline")) & {"permissions", "keys"}


@pytest.mark.parametrize("name", ["broker", "holder-1", "witness-1"])
def test_a_folder_without_its_key_file_is_still_known_and_broken(
    world: World, tmp_path: Path, name: str
) -> None:
    copied = _copy(world, name, tmp_path)
    (copied / "keys.json").unlink()
    found = _doctor(copied, 1, "--offline")
    assert "keys" in _broken(found)
    assert "folder" in found


def test_keys_of_another_key_holder_are_found_out_by_enrolment_and_roster(
    world: World, tmp_path: Path
) -> None:
    copied = _copy(world, "holder-1", tmp_path)
    shutil.copy2(world.folder / "holder-2" / "keys.json", copied / "keys.json")
    found = _doctor(copied, 1, "--offline")
    assert {"keys", "high-water mark"} <= _broken(found)
    assert "made with others" in _words(found, "keys")


def test_keys_of_another_broker_are_found_out_by_the_roster(world: World, tmp_path: Path) -> None:
    copied = _copy(world, "broker", tmp_path)
    keys = json.loads((copied / "keys.json").read_text())
    keys["signing_seed"] = keys["count_key"]
    (copied / "keys.json").write_text(json.dumps(keys))
    assert "space Example space" in _broken(_doctor(copied, 1, "--offline"))


def test_an_officers_folder_is_known_and_its_key_is_tried(tmp_path: Path) -> None:
    directory = tmp_path / "officer"
    office, drawn = "chief legal officer", seeded("officer")
    Officer.create(directory, "officer-1", "Officer 1", office, now=0, random_bytes=drawn)
    assert _doctor(directory, 0)["keys"][0]["state"] == "ok"
    (directory / "secrets" / "signing").unlink()
    assert _broken(_doctor(directory, 1)) == {"keys"}


# --- databases and logs ---


@pytest.mark.parametrize("name", ["holder-1", "witness-1"])
def test_a_damaged_database_is_broken(world: World, tmp_path: Path, name: str) -> None:
    copied = _copy(world, name, tmp_path)
    (database,) = copied.glob("*.sqlite")
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    assert "database" in _broken(_doctor(copied, 1, "--offline"))


def test_a_leaf_that_was_changed_is_found_and_the_rest_is_looked_at_all_the_same(
    world: World, tmp_path: Path
) -> None:
    copied = _copy(world, "holder-1", tmp_path)
    _change(copied / "keyholder.sqlite", "UPDATE log_leaves SET leaf = x'00' WHERE leaf_index = 0")
    found = _doctor(copied, 1, "--offline")
    assert _broken(found) == {"log"}
    assert found["rules"][0]["state"] == "ok"


def test_a_change_of_a_key_holders_log_key_that_is_not_done_is_said(world: World, tmp_path: Path) -> None:
    copied = _copy(world, "holder-1", tmp_path)
    older = (copied / "keys.json").read_bytes()
    draw_next_log_key(copied, seeded("drawn"))
    assert "cut short" in _words(_doctor(copied, 0, "--offline"), "log key")
    stopped = change.StoppedHolder(copied, world.clock)
    change.change(stopped, "It is time.")
    assert "both keys sign" in _words(_doctor(copied, 0, "--offline"), "log key")
    change.finish(stopped)
    assert "log key" not in _doctor(copied, 0, "--offline")
    (copied / "keys.json").write_bytes(older)
    found = _doctor(copied, 1, "--offline")
    assert _broken(found) == {"log key"}
    assert "older copy" in _words(found, "log key")


def test_an_older_copy_of_a_key_holder_is_found_out_by_its_mark(world: World, tmp_path: Path) -> None:
    copied = _copy(world, "holder-1", tmp_path)
    mark = beside(copied)
    later = beside(_copy(world, "holder-2", tmp_path))
    mark.write_bytes(later.read_bytes())
    assert "another key holder's" in _words(_doctor(copied, 1, "--offline"), "high-water mark")
    mark.unlink()
    assert "is gone" in _words(_doctor(copied, 1, "--offline"), "high-water mark")
    storage = HighWater(beside(world.folder / "holder-1"), world.holders[1].keys.log_origin).found()
    assert storage is not None
    mark.write_bytes(
        beside(world.folder / "holder-1")
        .read_bytes()
        .replace(f'"size":{storage.size}'.encode(), f'"size":{storage.size + 1}'.encode())
    )
    assert "older copy" in _words(_doctor(copied, 1, "--offline"), "high-water mark")


def test_a_service_that_was_never_started_is_no_fault(tmp_path: Path) -> None:
    WitnessCase(tmp_path / "witness", "witness.example.org", 0).stop()
    for path in (tmp_path / "witness").glob("witness.sqlite*"):
        path.unlink()
    assert _doctor(tmp_path / "witness", 0)["database"][0]["state"] == "look at"


def test_a_log_that_forked_before_a_witness_is_broken(world: World, tmp_path: Path) -> None:
    case = WitnessCase(tmp_path / "witness", "witness.example.org", world.now)
    honest, other = GrownLog("one").grow(3), GrownLog("two").grow(3)
    case.pin(honest)
    assert case.post(honest.call(0))[0] == 200
    assert case.post(other.call(0))[0] != 200
    case.stop()
    assert "log log.example.org/broker" in _broken(_doctor(tmp_path / "witness", 1))


# --- rules ---


@pytest.mark.parametrize("name", ["broker", "holder-1"])
def test_a_copy_of_the_rules_that_was_changed_is_broken(world: World, tmp_path: Path, name: str) -> None:
    copied = _copy(world, name, tmp_path)
    limits = next((copied / SHELF_FOLDER).rglob("limits.toml"))
    limits.chmod(0o600)
    limits.write_text(limits.read_text() + "\n# changed\n")
    assert "rules" in _broken(_doctor(copied, 1, "--offline"))


def test_rules_that_are_not_the_space_s_are_broken_at_broker_and_key_holder(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other")
    try:
        make_folder(tmp_path / "other-broker", other, other.settings.database_url)
        changed = rules.changed_rules(tmp_path / "changed", lambda text: text + "\n# another\n")
        rules.sign_rules(changed, other.now - 60, other.bundle.digest)
        rules.activate_at_holder(other.holders[1], changed)
        found = _doctor(other.folder / "holder-1", 1, "--offline")
        assert "Example space" in _words(found, "rules")
        rules.activate_at_broker(other.broker, changed)
        assert _broken(_doctor(tmp_path / "other-broker", 1, "--offline")) == {"rules"}
        BundleShelf(tmp_path / "other-broker").keep(changed, load(changed))
        assert _broken(_doctor(tmp_path / "other-broker", 1, "--offline")) == {"space Example space"}
    finally:
        other.close()


# --- clocks and peers ---


@pytest.mark.parametrize("name", ["broker", "holder-1", "witness-1"])
def test_a_clock_that_was_put_back_is_told_by_the_newest_entry(world: World, name: str) -> None:
    world.now -= 3600
    found = _doctor(world.folder / name, 1, "--offline")
    assert _broken(found) == {"clock"}
    assert "3,600 seconds ahead" in _words(found, "clock")


def test_a_clock_that_differs_from_the_brokers_is_broken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "clock", lambda: world.now + 300)
    found = _doctor(world.folder / "holder-1", 1)
    assert _broken(found) == {"broker's clock"}
    assert "300 seconds behind" in _words(found, "broker's clock")


def test_peers_that_do_not_answer_are_named(world: World) -> None:
    world.take_down(BROKER, HOLDERS[2], WITNESSES[3])
    assert _broken(_doctor(world.folder / "broker", 1)) == {
        "broker",
        "key holder Holder 2",
        "witness witness-3.example.org",
    }
    found = _doctor(world.folder / "holder-2", 1)
    assert _broken(found) == {"broker", "this key holder's service"}
    assert "Start it" in _words(found, "this key holder's service")
    assert "call its operator" in _words(found, "broker")
