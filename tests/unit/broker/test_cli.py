"""`narrowgate broker ...` as an operator runs it: separate processes, exit codes, JSON alone on standard output."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.protocol.documents import key_identifier, public_bytes, sign
from broker.protocol.messages.base import encode
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.parties import Enrolment
from broker.protocol.messages.vocabulary import AgencyKind, Role
from clients.cli import main
from tests import rules
from tests.broker_case import NOW, key_of

PROGRAM = [sys.executable, "-m", "clients.cli.main", "broker"]


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)


def _here(*arguments: object) -> Result:
    """The same command within this process: a second faster."""
    return CliRunner().invoke(main.app, ["broker", *map(str, arguments)], prog_name="narrowgate")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A broker's folder, for a loopback port that was free just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = _here("init", tmp_path / "broker", "--public-origin", f"http://127.0.0.1:{port}", "--json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["origin"] == f"http://127.0.0.1:{port}"
    return tmp_path / "broker"


def _describe(home: Path) -> Any:
    return json.loads(_here("describe", home, "--json").stdout)


@pytest.fixture
def serving(home: Path) -> Iterator["subprocess.Popen[str]"]:
    """A broker that serves in a process of its own, by rules that two officers signed."""
    rules.activate_in_folder(home)
    port = _describe(home)["origin"].rpartition(":")[2]
    arguments = [*PROGRAM, "serve", str(home), "--port", port, "--trial", "--json"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    assert json.loads(line)["ready"]
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def _enrol(origin: str) -> str:
    key = key_of("company-1")
    enrolment = Enrolment(
        party_id="company-1",
        name="Company",
        role=Role.AGENCY,
        kind=AgencyKind.COMPANY,
        jurisdiction="IE",
        signing_key=public_bytes(key),
        wrapping_key=b"wrapping key",
        created_at=NOW,
    )
    body = encode(DocumentMessage(document=sign(enrolment, key).document))
    call = urllib.request.Request(f"{origin}/v1/enrolments", body, {"content-type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(call) as answer:
        assert answer.status == 202
    return key_identifier(public_bytes(key))


def test_a_broker_is_made_served_used_and_stopped_cleanly(
    home: Path, serving: "subprocess.Popen[str]"
) -> None:
    kid = _enrol(_describe(home)["origin"])
    listed = json.loads(_run("enrolments", home, "--json").stdout)["enrolments"]
    assert [(each["kid"], each["state"]) for each in listed] == [(kid, "pending")]
    accepted = _run("accept", home, kid, "--json")
    assert accepted.returncode == 0, accepted.stderr
    assert json.loads(accepted.stdout)["trial"]
    second = _run("serve", home, "--port", "0", "--trial", "--json")
    assert (second.returncode, json.loads(second.stdout)["problem"]) == (6, "conflict")
    serving.send_signal(signal.SIGTERM)
    output, errors = serving.communicate(timeout=20)
    assert (serving.returncode, output) == (0, "")
    lines = [json.loads(line) for line in errors.splitlines()]
    assert {"route": "/v1/operator/enrolments/{kid}/accept", "status": 200}.items() <= lines[-1].items()
    assert kid not in errors
    assert not (home / "broker.sqlite3-wal").exists()


def test_a_killed_broker_starts_again_on_what_was_recorded(
    home: Path, serving: "subprocess.Popen[str]"
) -> None:
    origin = _describe(home)["origin"]
    kid = _enrol(origin)
    assert _here("accept", home, kid).exit_code == 0
    os.kill(serving.pid, signal.SIGKILL)
    serving.communicate()
    arguments = [
        *PROGRAM,
        "serve",
        str(home),
        "--port",
        origin.rpartition(":")[2],
        "--trial",
    ]
    again = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert again.stdout is not None
    assert "serves at" in again.stdout.readline()
    listed = json.loads(_here("enrolments", home, "--json").stdout)["enrolments"]
    again.send_signal(signal.SIGTERM)
    again.communicate(timeout=20)
    assert [each["state"] for each in listed] == ["accepted"]


def test_the_logs_key_is_changed_and_the_old_one_dropped_by_command(home: Path, tmp_path: Path) -> None:
    rules.activate_in_folder(home)
    first = _describe(home)["log_verifier_key"]
    file = tmp_path / "log-keys.json"
    command = ("rotate-log-key", home, "--reason", "It is time.", "--trial")
    changed = _here(*command, "--out", file, "--json")
    assert changed.exit_code == 0, changed.output
    told = json.loads(changed.stdout)
    assert (told["old_verifier_key"], told["from_size"], told["file"]) == (first, 2, str(file))
    assert _describe(home)["log_verifier_key"] == told["new_verifier_key"] != first
    assert "both keys" in _here(*command).stdout, "said again, it is the same change"
    assert json.loads(file.read_bytes())["log_origin"] == told["log_origin"]
    assert _here("rotate-log-key", home, "--finish", "--trial").exit_code == 0
    again = _here("rotate-log-key", home, "--finish", "--trial", "--json")
    assert (again.exit_code, json.loads(again.stdout)["problem"]) == (6, "conflict")


@pytest.mark.parametrize(
    "options", [(), ("--reason", "x", "--lost-key", "k"), ("--reason", "x", "--last-checkpoint", "none.txt")]
)
def test_a_change_of_the_logs_key_needs_a_reason_and_of_a_lost_one_both_words(
    home: Path, options: tuple[str, ...]
) -> None:
    assert _here("rotate-log-key", home, "--trial", *options).exit_code == 6
    assert not (home / "log-keys.json").exists()


def test_without_trial_it_does_not_serve(home: Path) -> None:
    refused = _run("serve", home, "--port", "0")
    assert refused.returncode == 6
    assert "No witness is configured" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("init", "DIR"), 6),
        (("init", "DIR/other", "--public-origin", "http://broker.example.org/path"), 6),
        (("accept", "DIR", "too-short"), 6),
        (("accept", "DIR", "A" * 43), 5),
        (("accept", "DIR", "-" + "A" * 42), 5),
        (("accept", "DIR", "--" + "A" * 41), 5),
        (("enrolments", "DIR"), 5),
        (("enrolments", "DIR/nothing"), 6),
        (("serve",), 2),
        (("describe", "DIR", "--unknown"), 2),
    ],
)
def test_errors_have_the_exit_codes_of_every_command(
    home: Path, arguments: tuple[str, ...], code: int
) -> None:
    found = _here(*(word.replace("DIR", str(home)) for word in arguments))
    assert (found.exit_code, found.stdout) == (code, "")
    assert found.stderr


def test_the_operator_purges_a_running_broker(home: Path, serving: "subprocess.Popen[str]") -> None:
    purged = _run("purge", home, "--json")
    assert purged.returncode == 0, purged.stderr
    assert json.loads(purged.stdout) == {
        "deposits": 0,
        "series": 0,
        "records": 0,
        "matches": 0,
        "counted_sets": 0,
        "calls": 0,
    }
    assert "0 records are deleted" in _here("purge", home).stdout
