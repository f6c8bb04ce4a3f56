"""The commands an operator types: each does what it says, prints JSON alone when asked, and ends with its exit code."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.protocol.documents import public_bytes
from clients.keyholder.cli import app
from clients.keyholder.store import permits
from clients.witness.keys import create_keys
from tests.keyholder_world import HOLDER_IDS, NOW, POLICIES, World

INIT = ("--holder-id", "court-office", "--name", "Court office", "--jurisdiction", "NL")
ORIGIN = ("--origin", "http://court.example.org:8000")


def run(*arguments: object, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [*(str(each) for each in arguments), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def stopped(world: World) -> World:
    """The service is stopped: the commands own the folder."""
    world.holder.close()
    world.holders.clear()
    return world


def test_init_makes_a_folder_once(tmp_path: Path) -> None:
    made = run("init", tmp_path / "holder", *INIT, *ORIGIN)
    assert Path(made["enrolment"]).read_text().count(".") == 2
    assert run("init", tmp_path / "holder", *INIT, *ORIGIN, code=6)["problem"] == "conflict"
    bad = run("init", tmp_path / "other", *INIT, "--origin", "court.example.org", code=6)
    assert "court.example.org" not in bad["detail"]


def test_init_in_words_says_what_to_do_next(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["init", str(tmp_path / "holder"), *INIT, *ORIGIN])
    assert "Hand" in result.stdout
    assert "founder" in result.stdout


def test_pin_activate_and_status(stopped: World, tmp_path: Path) -> None:
    folder = stopped.directory / HOLDER_IDS[0]
    newer = stopped.sign_space(roster_version=2)
    (tmp_path / "space.jws").write_text(newer.document + "\n")
    (tmp_path / "founder.jws").write_text(stopped.enrolment())
    files = ("--space", tmp_path / "space.jws", "--founder", tmp_path / "founder.jws")
    pinned = run("pin", folder, *files)
    assert (pinned["roster_version"], pinned["founder_kid"]) == (2, newer.kid)
    digest = stopped.bundle.digest.hex()
    active = run("activate", folder, "--bundle", POLICIES)
    assert (active["bundle_digest"], active["log_index"]) == (digest, None)  # as it was before
    assert active["spaces_expecting_other_rules"] == []
    found = run("status", folder)
    assert found["bundle_in_force"] == digest
    assert [space["roster_version"] for space in found["spaces"]] == [2]
    assert found["forks_found"] == 0


def test_status_warns_of_a_fork(stopped: World) -> None:
    holder = stopped.start(HOLDER_IDS[0])
    with holder.database.write() as connection:
        permits.add_fork(connection, public_bytes(stopped.keys["log"]), "note", "other", NOW)
    holder.close()
    stopped.holders.clear()
    result = CliRunner().invoke(app, ["status", str(stopped.directory / HOLDER_IDS[0])])
    assert result.exit_code == 4
    assert "contradicted" in result.stderr


def test_a_running_service_keeps_its_folder(world: World) -> None:
    told = run("status", world.directory / HOLDER_IDS[0], code=6)
    assert "Stop the service" in told["detail"]


def test_serve_answers_until_it_is_stopped_and_prints_nothing_of_calls(stopped: World) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "clients.cli.main", "keyholder", "serve"]
    process = subprocess.Popen(
        [*command, str(stopped.directory / HOLDER_IDS[0]), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "no_proxy": "127.0.0.1"},
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz?q=canary", timeout=2)
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < deadline
                time.sleep(0.1)
        with answer:
            assert json.load(answer) == {"status": "ok"}
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
    assert process.returncode in (0, -signal.SIGTERM)
    assert b"canary" not in output


def test_purge_erases_what_is_past_its_retention(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = world.deal()
    world.deliver(deal)
    world.holder.close()
    world.holders.clear()
    folder = world.directory / HOLDER_IDS[0]
    monkeypatch.setattr("clients.keyholder.cli.clock", lambda: NOW)
    assert run("purge", folder) == {"series": 0, "calls": 0}
    end = deal.manifest.conditions.retain_until
    monkeypatch.setattr("clients.keyholder.cli.clock", lambda: end)
    assert run("purge", folder)["series"] == 1
    assert run("status", folder)["series_held"] == 0


def test_an_old_copy_serves_only_after_its_operator_said_that_entries_are_lost(
    world: World, tmp_path: Path
) -> None:
    world.deliver(world.deal())
    world.holder.close()
    folder = world.directory / HOLDER_IDS[0]
    shutil.copytree(folder, tmp_path / "backup")
    world.start(HOLDER_IDS[0])
    world.deliver(world.deal())
    world.holder.close()
    world.holders.clear()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)

    told = run("status", folder, code=4)
    assert "had 3 entries and now has 2" in told["detail"]
    reason = ("--reason", "The disk failed; the newest backup is of last night.")
    assert run("accept-restore", folder, "--size", 3, *reason, code=6)["problem"] == "bad-input"
    said = run("accept-restore", folder, "--size", 2, *reason, "--out", tmp_path / "restore.jws")
    assert (said["marked_size"], said["restored_size"]) == (3, 2)
    assert (tmp_path / "restore.jws").read_text().strip() == said["statement"]
    assert run("status", folder)["log_entries"] == 3
    assert run("accept-restore", folder, "--size", 3, *reason, code=6)["problem"] == "conflict"


def test_the_mark_is_kept_where_the_operator_says(stopped: World, tmp_path: Path) -> None:
    folder = stopped.directory / HOLDER_IDS[0]
    elsewhere = tmp_path / "other-disk.mark"
    (stopped.directory / f"{HOLDER_IDS[0]}.high-water").rename(elsewhere)
    assert run("status", folder, code=4)["problem"] == "verification-failed"
    assert run("status", folder, "--high-water", elsewhere)["log_entries"] == 1


def test_witnesses_are_chosen_shown_and_taken_out_and_without_them_it_says_that_it_is_a_trial(
    stopped: World, tmp_path: Path
) -> None:
    folder = stopped.directory / HOLDER_IDS[0]
    words = CliRunner().invoke(app, ["witnesses", str(folder)]).stdout
    assert "TRIAL" in words
    keys = [str(create_keys(tmp_path / name, name, os.urandom).verifier_keys[0]) for name in ("w1", "w2")]
    (tmp_path / "w1.key").write_text(keys[0] + "\n")
    chosen = run(
        "witnesses", folder, "--add", tmp_path / "w1.key", "--url", "https://w1.example.org", "--quorum", 1
    )
    assert (chosen["trial"], chosen["quorum"], chosen["timeout_seconds"]) == (False, 1, 5)
    run(
        "witnesses",
        folder,
        "--add",
        keys[1],
        "--url",
        "https://w2.example.org",
        "--quorum",
        2,
        "--timeout",
        9,
    )
    found = run("status", folder)
    assert (found["witnesses"], found["witness_quorum"]) == (["w1", "w2"], 2)
    assert "1 of 1 must cosign within 9 seconds" in (
        CliRunner().invoke(app, ["witnesses", str(folder), "--remove", "w1", "--quorum", "1"]).stdout
    )


def test_witnesses_that_cannot_be_chosen_are_refused(stopped: World, tmp_path: Path) -> None:
    folder = stopped.directory / HOLDER_IDS[0]
    key = str(create_keys(tmp_path / "w1", "w1", os.urandom).verifier_keys[0])
    assert run("witnesses", folder, "--add", key, code=6)["problem"] == "bad-input"
    log_key = run("status", folder)["log_verifier_key"]
    refused = run("witnesses", folder, "--add", log_key, "--url", "https://w1.example.org", code=6)
    assert log_key not in refused["detail"]
    assert run("witnesses", folder, "--quorum", 1, code=6)["problem"] == "bad-input"
    assert run("witnesses", folder, "--remove", "w1", code=6)["problem"] == "not-found"
    assert run("witnesses", tmp_path / "nothing", code=6)["problem"] == "not-found"
    assert not (folder / "witnesses.json").exists()
