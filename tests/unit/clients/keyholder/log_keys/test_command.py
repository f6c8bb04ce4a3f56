"""`narrowgate keyholder rotate-log-key` as an operator types it, in a trial that nobody cosigns."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.protocol.checkpoint import parse_verifier_key, verifier_key
from broker.protocol.log_keys import WitnessQuorum, follow, read_chain
from clients.keyholder.cli import app
from clients.keyholder.log_keys.chain_file import LOG_KEYS_FILE
from tests.keyholder_world import HOLDER_IDS, World


def run(*arguments: object, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [*(str(each) for each in arguments), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def folder(world: World) -> Path:
    """Of a holder whose service is stopped."""
    world.holder.close()
    world.holders.clear()
    return world.directory / HOLDER_IDS[0]


def test_the_key_is_changed_and_the_old_one_dropped(folder: Path, tmp_path: Path) -> None:
    first = run("status", folder)
    assert not first["log_key_being_changed"]
    out = tmp_path / "handed-out.json"
    value = run("rotate-log-key", folder, "--reason", "It is time.", "--out", out)
    assert value["old_verifier_key"] == first["log_verifier_key"]
    assert (value["from_size"], value["changes"], value["file"]) == (first["log_entries"] + 1, 1, str(out))
    assert out.read_bytes() == (folder / LOG_KEYS_FILE).read_bytes()
    during = run("status", folder)
    assert (during["log_key_being_changed"], during["log_verifier_key"]) == (True, value["new_verifier_key"])
    pinned = parse_verifier_key(first["log_verifier_key"])
    assert (
        str(follow(read_chain(out.read_bytes()), pinned, (WitnessQuorum(),)).newest)
        == value["new_verifier_key"]
    )
    assert run("rotate-log-key", folder, "--finish") == {"finished": True}
    assert run("rotate-log-key", folder, "--finish", code=6)["problem"] == "conflict"
    assert run("status", folder)["log_verifier_key"] == value["new_verifier_key"]
    assert run("fsck", folder)["clean"]


def test_its_words_say_what_to_do_next(folder: Path) -> None:
    result = CliRunner().invoke(app, ["rotate-log-key", str(folder), "--reason", "It is time."])
    assert result.exit_code == 0, result.output
    for words in ("narrowgate witness follow-log", "both keys", "--finish", "Back up the folder"):
        assert words in result.stdout
    status = CliRunner().invoke(app, ["status", str(folder)])
    assert "log key being changed: yes" in status.stdout


def test_options_that_do_not_go_together_are_refused_and_nothing_is_drawn(
    folder: Path, tmp_path: Path
) -> None:
    before = (folder / "keys.json").read_bytes()
    key = verifier_key("court.example.org/log", bytes(range(32)))
    missing = tmp_path / "missing"
    for options in (
        (),
        ("--reason", "Lost.", "--lost-key", key),
        ("--reason", "Lost.", "--last-checkpoint", missing),
        ("--reason", "Lost.", "--lost-key", key, "--last-checkpoint", missing),
        ("--reason", "Lost.", "--lost-key", "no key", "--last-checkpoint", folder / "keys.json"),
    ):
        assert run("rotate-log-key", folder, *options, code=6)["problem"] == "bad-input"
    assert (folder / "keys.json").read_bytes() == before


def test_a_file_that_cannot_be_written_is_told_and_the_change_is_done(folder: Path, tmp_path: Path) -> None:
    told = run(
        "rotate-log-key", folder, "--reason", "It is time.", "--out", tmp_path / "no" / "folder", code=6
    )
    assert LOG_KEYS_FILE in told["detail"]
    assert (folder / LOG_KEYS_FILE).exists()


def test_fsck_tells_a_damaged_file_of_log_keys_beside_all_else(folder: Path) -> None:
    run("rotate-log-key", folder, "--reason", "It is time.")
    path = folder / LOG_KEYS_FILE
    path.write_bytes(path.read_bytes()[:-9])
    told = run("fsck", folder, code=4)
    assert [each["where"] for each in told["findings"]] == [LOG_KEYS_FILE] * 2
    assert "is damaged" in told["findings"][0]["what"]
    assert "has no proof of log entry" in told["findings"][1]["what"]
