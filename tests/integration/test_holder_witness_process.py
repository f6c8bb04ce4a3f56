"""A key holder's log and `narrowgate witness serve` as a process of its own: over HTTP, stopped, and going on.

The holder is the real service in this process, with its own HTTP calls to the witness; what is stopped is the process.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.protocol.checkpoint import parse_verifier_key
from broker.protocol.errors import Unavailable
from broker.protocol.receipts import verify_checkpoint
from clients.cli import main
from clients.demo.processes import free_ports
from clients.keyholder.evaluation import evaluate
from tests.keyholder_calls import evaluations
from tests.keyholder_world import HOLDER_IDS, POLICE, World

pytestmark = pytest.mark.all_only


def command(*arguments: object) -> str:
    done = CliRunner().invoke(main.app, [str(each) for each in arguments], prog_name="narrowgate")
    assert done.exit_code == 0, done.output
    return done.stdout


class Case:
    """A holder whose one witness is a process."""

    def __init__(self, folder: Path) -> None:
        self.folder, [port] = folder / "w1", free_ports(1)
        self.world = World(folder / "parties", holders=())
        directory = folder / "parties" / HOLDER_IDS[0]
        log_key = json.loads(command("keyholder", "status", directory, "--json"))["log_verifier_key"]
        made = json.loads(command("witness", "init", self.folder, "--name", "w1.example.org", "--json"))
        self.key = parse_verifier_key(made["verifier_key"])
        command("witness", "add-log", self.folder, log_key)
        chosen = ("--add", made["verifier_key"], "--url", f"http://127.0.0.1:{port}", "--quorum", 1)
        assert "1 of 1 must cosign" in command("keyholder", "witnesses", directory, *chosen, "--timeout", 2)
        self.start(port)
        self.open_holder()
        self.deals = self.world.deal_all()

    def start(self, port: int) -> None:
        words = ["witness", "serve", self.folder, "--port", port]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clients.cli.main", *map(str, words)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def open_holder(self) -> None:
        deadline = time.monotonic() + 25
        while True:
            try:
                self.world.start(HOLDER_IDS[0])
                return
            except Unavailable:
                assert time.monotonic() < deadline, "the witness does not answer"
                time.sleep(0.1)

    def close(self) -> None:
        self.world.holder.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    case = Case(tmp_path)
    yield case
    case.close()


def test_a_witness_that_is_stopped_holds_the_answer_back_until_it_runs_again(case: Case) -> None:
    world = case.world
    call = world.admit(case.deals).call(world.holder, case.deals[0])
    os.kill(case.process.pid, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(Unavailable, match="Too few witnesses"):
        evaluate(world.holder, world.caller(POLICE), call)
    assert 1.5 < time.monotonic() - started < 30
    assert evaluations(world) == 1, "recorded, and not answered"
    os.kill(case.process.pid, signal.SIGCONT)
    assert evaluate(world.holder, world.caller(POLICE), call).chunks
    log = world.holder.log
    with world.holder.database.read() as connection:
        size = log.size(connection)
    note = world.holder.witnesses.published()
    assert verify_checkpoint(note, log.origin, log.verifier_key.public_key, [case.key], 1).size == size
    assert evaluations(world) == 1
