"""A key holder changes its log's key by command, between processes: killed in the middle, followed, dropped.

A running space of real processes; the first holder's log has a witness that is a process of its own too. Each command
of the holder's and the witness's operators is a process, with its own exit code.
"""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.protocol import checkpoint
from clients.demo.parties import AUDITOR, HOLDERS, POLICE
from clients.demo.processes import Finished, Processes, free_ports
from tests.integration.processes_world import World, assert_answered_once, running_world, wait_until

pytestmark = pytest.mark.all_only
ROLE, WITNESS = "holder-1", "holder-witness"


class Story:
    """The space, and the first holder with its witness."""

    def __init__(self, world: World) -> None:
        self.world, self.home = world, world.places.home(HOLDERS[0])
        self.witness = world.places.root / WITNESS
        [port] = free_ports(1)
        self.witness_origin = f"http://127.0.0.1:{port}"
        self.stop_holder()
        key = self.holder("status", "--json").json()["log_verifier_key"]
        made = self.call("witness", "init", self.witness, "--name", "w1.example.org", "--json").json()
        self.call("witness", "add-log", self.witness, key)
        self.start_witness()
        address = ("--add", made["verifier_key"], "--url", self.witness_origin, "--quorum", "1")
        self.holder("witnesses", *address, "--timeout", "30")
        world.start_holder(1)

    def call(self, *words: str | Path, code: int = 0) -> Finished:
        """A command as a process of its own."""
        return Processes.run(self.world.processes, str(words[0]), words, (code,))

    def holder(self, command: str, *words: str | Path, code: int = 0) -> Finished:
        return self.call("keyholder", command, self.home, *words, code=code)

    def stop_holder(self) -> None:
        self.world.processes.stop(ROLE)

    def start_witness(self) -> None:
        serve = ("witness", "serve", self.witness, "--port", self.witness_origin.rpartition(":")[2])
        self.world.processes.serve(WITNESS, serve, self.witness_origin)

    def ask(self, name: str) -> None:
        """A request from end to end, with this holder in the quorum or not."""
        asked = self.world.ask(name)
        options = self.world.request("send", asked)
        answer = Processes.run(self.world.processes, POLICE.party_id, options).json()
        assert_answered_once(self.world, asked, answer)

    def audited(self) -> dict[str, Any]:
        """What the auditor says of this holder's log."""
        home = self.world.places.home(AUDITOR)
        done = self.call("audit", "verify-holders", home, "--holder", HOLDERS[0], "--json")
        found: dict[str, Any] = done.json()["holders"][0]
        return found

    def changes(self) -> int:
        return len(self.world.holder_books(1).entries("LOG_KEY_ROTATED"))


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with running_world(tmp_path / "parties") as world:
        yield Story(world)


def test_the_key_is_changed_while_the_space_goes_on(story: Story, tmp_path: Path) -> None:
    story.ask("before")
    first = story.audited()
    assert first["log_key_changes"] == []
    older = (story.home / "keys.json").read_bytes()

    # Killed somewhere behind its entry, if it is not done by then; the same command goes on.
    story.stop_holder()
    change = ("--reason", "The machine is sold.", "--out", str(tmp_path / "log-keys.json"))
    killed = story.world.processes.start(("keyholder", "rotate-log-key", story.home, *change))
    wait_until(lambda: story.changes() > 0, "the entry that changes the key")
    killed.kill()
    value = story.holder("rotate-log-key", *change, "--json").json()
    assert story.changes() == 1
    story.world.start_holder(1)
    story.ask("both-keys")
    [told] = story.audited()["log_key_changes"]
    assert (told["new_verifier_key"], told["lost"]) == (value["new_verifier_key"], False)

    # Not before its witness follows is the old key dropped.
    story.stop_holder()
    assert "narrowgate witness follow-log" in story.holder("rotate-log-key", "--finish", code=6).errors
    story.world.processes.stop(WITNESS)
    followed = story.call("witness", "follow-log", story.witness, tmp_path / "log-keys.json", "--json")
    assert followed.json()["verifier_key"] == value["new_verifier_key"]
    story.start_witness()
    story.holder("rotate-log-key", "--finish")
    assert json.loads(story.holder("fsck", "--json").output)["clean"]
    story.world.start_holder(1)
    story.ask("new-key")
    audited = story.audited()
    assert audited["verified"]
    assert audited["size"] > first["size"]
    note = _published(story)
    new, old = (checkpoint.parse_verifier_key(value[f"{name}_verifier_key"]) for name in ("new", "old"))
    _, lines = checkpoint.read_unverified(note.encode())
    assert checkpoint.line_of(new, lines)
    assert not checkpoint.line_of(old, lines)
    story.call("audit", "verify", story.world.places.home(AUDITOR))
    story.call("audit", "reconcile", story.world.places.home(AUDITOR))

    # The old file of keys, from a backup or a thief's, starts nothing.
    story.stop_holder()
    (story.home / "keys.json").write_bytes(older)
    refused = story.holder("serve", "--port", "1", code=5)
    assert "older copy" in refused.errors


def _published(story: Story) -> str:
    origin = story.world.places.holder_origins[0]
    with urllib.request.urlopen(f"{origin}/checkpoint", timeout=30) as answer:
        return str(answer.read().decode())
