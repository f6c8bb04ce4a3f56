"""`narrowgate witness serve` as a process of its own, called over HTTP: stopped, killed, and killed as it answers."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.audit.log import AuditLog
from broker.audit.records import DepositCompleted
from broker.audit.witness_calls import HttpCalls
from broker.audit.witnesses import witnesses_of
from broker.protocol.checkpoint import ED25519_COSIGNATURE, VerifierKey, parse_verifier_key
from broker.protocol.documents import public_bytes
from broker.protocol.errors import Unavailable
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.receipts import verify_checkpoint
from broker.store import migrate
from broker.store.database import Database
from broker.translog.cosigning import WitnessAt, Witnesses
from clients.cli import main
from clients.demo.processes import free_ports
from tests.broker_case import key_of, seeded

pytestmark = pytest.mark.all_only

ORIGIN, LOG_KEY, NOW = "broker.example.org/log", key_of("log"), 1_900_000_000


def command(*arguments: object) -> str:
    done = CliRunner().invoke(main.app, [str(each) for each in arguments], prog_name="narrowgate")
    assert done.exit_code == 0, done.output
    return done.stdout


class Case:
    """A log in a database, and one witness process that watches it."""

    def __init__(self, folder: Path) -> None:
        self.folder, [self.port] = folder / "w1", free_ports(1)
        made = json.loads(command("witness", "init", self.folder, "--name", "w1.example.org", "--json"))
        self.key = parse_verifier_key(made["verifier_key"])
        self.database = Database(f"sqlite:///{folder / 'broker.sqlite3'}")
        migrate.upgrade(self.database)
        self.audit = AuditLog(ORIGIN, LOG_KEY, seeded("witness processes"), trial=False)
        command("witness", "add-log", self.folder, self.audit.verifier_key)
        self.open: list[Witnesses] = []
        self.witnesses = self.broker()
        self.start()

    def broker(self, timeout_seconds: int = 2) -> Witnesses:
        named = [WitnessAt(self.key, f"http://127.0.0.1:{self.port}")]
        calls = HttpCalls(timeout_seconds)
        made = witnesses_of(
            self.database, self.audit, named, 1, calls, lambda: NOW, timeout_seconds, calls.close
        )
        self.open.append(made)
        return made

    def start(self) -> None:
        words = [
            sys.executable,
            "-m",
            "clients.cli.main",
            "witness",
            "serve",
            self.folder,
            "--port",
            self.port,
        ]
        self.process = subprocess.Popen(
            list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                self.broker().cosign(-1)
                return
            except Unavailable:
                assert time.monotonic() < deadline, "the witness does not answer"
                time.sleep(0.1)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def append(self) -> int:
        with self.database.write() as connection:
            record = DepositCompleted(deposit_id=bytes(32), records=1, root=bytes(32))
            return self.audit.append(connection, RecordKind.DEPOSIT_COMPLETED, record, NOW).proof.index

    def seen(self) -> int:
        """The size that the stopped witness remembers."""
        shown = json.loads(command("witness", "show", self.folder, "--json"))
        return int(shown["logs"][0]["size"])


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    case = Case(tmp_path)
    yield case
    case.kill()
    for broker in case.open:
        broker.close()
    case.database.close()


def test_a_witness_that_is_stopped_costs_a_timeout_and_refuses_and_goes_on_once_it_runs_again(
    case: Case,
) -> None:
    index = case.append()
    os.kill(case.process.pid, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(Unavailable, match="Too few witnesses"):
        case.witnesses.cosign(index)
    assert 1.5 < time.monotonic() - started < 30
    os.kill(case.process.pid, signal.SIGCONT)
    assert case.witnesses.cosign(index).size == index + 1


def test_a_witness_that_is_killed_at_any_moment_remembers_all_that_it_cosigned(case: Case) -> None:
    cosigned = [0]
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            try:
                note = case.witnesses.cosign(case.append()).note
            except Unavailable:
                continue
            size = verify_checkpoint(note, ORIGIN, public_bytes(LOG_KEY), [case.key], 1).size
            cosigned.append(size)

    for round_number in range(3):
        thread = threading.Thread(target=go_on)
        thread.start()
        time.sleep(0.3 + 0.2 * round_number)
        case.kill()
        stop.set()
        thread.join()
        stop.clear()
        assert case.seen() >= max(cosigned), "what was answered was on the disk before"
        case.start()
    assert max(cosigned) > 3
    assert case.witnesses.cosign(case.append()).size > max(cosigned), "and the log goes on from there"


def test_a_witness_that_hangs_for_long_does_not_keep_the_others_calls_from_being_made(case: Case) -> None:
    """It takes connections and never answers. Each round leaves a call to it behind: more than a client has
    connections."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as hanging:
        other = witness_key("w2.example.org")
        named = [
            WitnessAt(case.key, f"http://127.0.0.1:{case.port}"),
            WitnessAt(other, f"http://127.0.0.1:{hanging.getsockname()[1]}"),
        ]
        calls = HttpCalls(10)
        broker = witnesses_of(case.database, case.audit, named, 1, calls, lambda: NOW, 10, calls.close)
        slowest = 0.0
        for _ in range(130):
            index, started = case.append(), time.monotonic()
            assert broker.cosign(index).size == index + 1
            slowest = max(slowest, time.monotonic() - started)
        assert slowest < 5, "no call waited for a connection"
        assert sum(thread.name == "witness" for thread in threading.enumerate()) < 20
        found = broker.cosigning
        assert found is not None
        assert (found.size, found.failed_rounds, found.failed_calls) == (
            index + 1,
            0,
            {case.key.name: 0, other.name: 0},
        )
    calls.close()


def witness_key(name: str) -> VerifierKey:
    """The public key of a witness that answers nothing."""
    return VerifierKey(name, ED25519_COSIGNATURE, public_bytes(key_of(name)))
