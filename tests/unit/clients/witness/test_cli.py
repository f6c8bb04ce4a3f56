"""The witness's commands: made, pinned, shown."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.protocol.checkpoint import parse_verifier_key
from clients.witness.cli import app
from tests.witness_case import GrownLog, WitnessCase


def run(*words: str | Path, expect: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == expect, result.output
    return result.stdout


def test_a_witness_is_made_pins_a_log_and_shows_it(tmp_path: Path) -> None:
    folder, log = tmp_path / "w1", GrownLog().grow(3)
    made = json.loads(run("init", folder, "--name", "w1.example.org", "--json"))
    assert stat.S_IMODE((folder / "keys.json").stat().st_mode) == 0o600
    pinned = json.loads(run("add-log", folder, str(log.verifier_key), "--json"))
    assert pinned["origin"] == log.origin
    shown = json.loads(run("show", folder, "--json"))
    assert shown["verifier_key"] == made["verifier_key"]
    assert [(each["origin"], each["size"]) for each in shown["logs"]] == [(log.origin, 0)]


@pytest.mark.parametrize(
    ("algorithm", "bytes_of_keys"), [("ed25519", [4]), ("ml-dsa-44", [6]), ("both", [4, 6])]
)
def test_a_witness_chooses_its_algorithms(tmp_path: Path, algorithm: str, bytes_of_keys: list[int]) -> None:
    folder = tmp_path / "w1"
    made = json.loads(run("init", folder, "--name", "w1.example.org", "--algorithm", algorithm, "--json"))
    assert [parse_verifier_key(key).algorithm for key in made["verifier_keys"]] == bytes_of_keys
    assert json.loads(run("show", folder, "--json"))["verifier_keys"] == made["verifier_keys"]


def test_a_key_file_of_before_there_were_two_algorithms_is_read(tmp_path: Path) -> None:
    made = json.loads(run("init", tmp_path / "w1", "--name", "w1.example.org", "--json"))
    path = tmp_path / "w1" / "keys.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({name: kept[name] for name in ("v", "name", "seed")}))
    assert json.loads(run("show", tmp_path / "w1", "--json"))["verifier_key"] == made["verifier_key"]
    path.write_text(json.dumps({name: kept[name] for name in ("v", "name")}))
    run("show", tmp_path / "w1", expect=4)


def test_a_logs_key_may_come_in_a_file(tmp_path: Path) -> None:
    folder, file = tmp_path / "w1", tmp_path / "log.key"
    run("init", folder, "--name", "w1.example.org")
    file.write_text(f"{GrownLog().verifier_key}\n")
    assert "Pinned" in run("add-log", folder, file)
    assert GrownLog().origin in run("show", folder)


@pytest.mark.parametrize("key", ["no-such-file", "name+00000000+AAAA"])
def test_what_is_no_logs_key_is_not_pinned(tmp_path: Path, key: str) -> None:
    run("init", tmp_path / "w1", "--name", "w1.example.org")
    run("add-log", tmp_path / "w1", key, expect=6)


def test_a_witnesss_key_is_no_logs_key(tmp_path: Path) -> None:
    made = json.loads(run("init", tmp_path / "w1", "--name", "w1.example.org", "--json"))
    run("add-log", tmp_path / "w1", made["verifier_key"], expect=6)


def test_a_name_that_no_note_may_bear_makes_no_folder(tmp_path: Path) -> None:
    run("init", tmp_path / "w1", "--name", "a+b", expect=6)
    assert not (tmp_path / "w1").exists()


def test_a_second_witness_is_not_made_over_the_first(tmp_path: Path) -> None:
    run("init", tmp_path / "w1", "--name", "w1.example.org")
    key = (tmp_path / "w1" / "keys.json").read_bytes()
    run("init", tmp_path / "w1", "--name", "w2.example.org", expect=6)
    assert (tmp_path / "w1" / "keys.json").read_bytes() == key


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    run("init", tmp_path / "w1", "--name", "w1.example.org")
    (tmp_path / "w1" / "keys.json").chmod(0o644)
    run("show", tmp_path / "w1", expect=6)


def test_a_fork_is_shown_with_both_notes_and_ends_with_4(tmp_path: Path) -> None:
    case, log, fork = WitnessCase(tmp_path / "w1"), GrownLog().grow(5), GrownLog("another").grow(5)
    case.pin(log)
    case.cosigned(log, 0)
    assert case.post(fork.call(5))[0] == 409
    case.stop()
    shown = run("show", tmp_path / "w1", expect=4)
    assert log.note() in shown
    assert fork.note() in shown
