"""The space of real processes with people who approve, and requests that climb from hits to sources to payload.

Rule: every step is the party's own command. `dying` starts a service or a command that ends itself with SIGKILL at a
named point; afterwards it is started as usual, on the same folder.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clients.cli import run
from clients.demo import papers, parties
from clients.demo import processes as demo_processes
from clients.demo.parties import COMPANY, DESK, NGO, PAYMENTS, POLICE, PROSECUTOR, SUPERVISOR, Party, Places
from clients.demo.processes import free_ports
from tests.integration.processes_world import (
    ROOT,
    Asked,
    Background,
    MortalProcesses,
    World,
    one_transport,
)

APPROVING = (SUPERVISOR, PROSECUTOR)
KNOWN = {COMPANY: range(4), PAYMENTS: range(2, 6), NGO: range(5, 7)}
CASE = "ladder"
"""One case's: a higher tier goes on in the case of the hits."""
OF_COMPANIES = 2
"""An address that both companies hold, and nobody has to be asked about."""
OF_THE_NGO = 6
"""One that the NGO alone holds: it is asked before its record is opened."""


@dataclass(frozen=True)
class Climbed(Asked):
    """A request for a higher tier, with its papers."""

    document: Path
    approvals: tuple[Path, ...]


@dataclass(frozen=True)
class LadderWorld(World):
    """The running space, whose contributors let the police go up to payload."""

    def deposit(self, party: Party, file: Path, readers: Sequence[str]) -> tuple[str | Path, ...]:
        """See `World.deposit`."""
        command = super().deposit(party, file, readers)
        path = Path(command[command.index("--conditions") + 1])
        further = {"highest_tier": "payload", "payload_category": "subscriber"}
        papers.write(path, papers.read(path) | further)
        return command

    def request(self, step: str, asked: Asked, *options: str, home: Path | None = None) -> list[str | Path]:
        """See `World.request`; approvals go with the finding."""
        command = super().request(step, asked, *options, home=home)
        approvals = asked.approvals if isinstance(asked, Climbed) and step in ("file", "send") else ()
        return [*command, *(word for each in approvals for word in ("--approval", each))]

    def climb(self, earlier: Asked, numbers: Sequence[int], name: str) -> Climbed:
        """Confirm hits, sign the next tier's request, and have it found and approved; nothing is filed."""
        unit, folder = self.places.home(POLICE), self.places.root / "papers"
        wanted = ("--identifiers", self.emails(name, numbers))
        claims = papers.write(folder / f"{name}-claims.json", papers.claims(CASE, run.clock()))
        document = folder / f"{name}.jws"
        confirm = ("request", "confirm", unit, earlier.name, "--officer", "officer-17", *wanted)
        self.run(POLICE, *confirm)
        climb = ("request", "climb", unit, earlier.name, "--claims", claims, "--out", document, *wanted)
        made = self.run(POLICE, *climb, "--json").json()
        answers, finding = folder / f"{name}-answers.json", folder / f"{name}-finding.jws"
        desk = self.places.home(DESK)
        self.run(DESK, "desk", "answers", desk, document, "--out", answers)
        self.run(DESK, "desk", "find", desk, document, "--answers", answers, "--out", finding)
        climbed = Climbed(bytes.fromhex(made["request_id"]), finding, document, ())
        approvals = tuple(folder / f"{name}-{person.party_id}.jws" for person in APPROVING)
        for person, path in zip(APPROVING, approvals, strict=True):
            self.run(person, *self.approve(person, climbed, path))
        return replace(climbed, approvals=approvals)

    def approve(self, person: Party, climbed: Climbed, out: Path) -> tuple[str | Path, ...]:
        """A person's command to sign an approval of a request with its finding."""
        paper = ("--finding", climbed.finding, "--out", out)
        return ("approve", "sign", self.places.home(person), climbed.document, *paper)

    def open(self, asked: Asked) -> tuple[str | Path, ...]:
        """The police unit's command to open what was released."""
        out = self.places.root / "files" / f"{asked.name}.json"
        return ("request", "open", self.places.home(POLICE), asked.name, "--out", out, "--json")

    def opened(self, asked: Asked) -> list[dict[str, Any]]:
        """Open what was released, and read it."""
        command = self.open(asked)
        self.run(POLICE, *command)
        found: list[dict[str, Any]] = json.loads(Path(command[command.index("--out") + 1]).read_text())
        return found

    def restart_dying(self, role: str, point: str) -> None:
        """Let a service run on, as one that will die at that point."""
        self.processes.stop(role)
        usual = demo_processes._program
        demo_processes._program = lambda: [sys.executable, "-m", "tests.integration.dying", point]
        try:
            self.restart(role)
        finally:
            demo_processes._program = usual

    def restart(self, role: str) -> None:
        """Start a service on its folder."""
        if role == "broker":
            self.start_broker()
        else:
            self.start_holder(int(role.rpartition("-")[2]))

    def reap(self, role: str) -> None:
        """See that a service died at its point, and start it as usual."""
        process = self.processes.serving.pop(role)
        assert process.wait(60) == -9, f"{role} did not come to its point"
        self.restart(role)

    def run_dying(self, point: str, arguments: Sequence[str | Path]) -> None:
        """Run a command that dies at that point."""
        words = [sys.executable, "-m", "tests.integration.dying", point, *map(str, arguments)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        done = Background(process).finish()
        assert done.code == -9, f"the command did not come to its point: {done.errors}"


@contextmanager
def running_ladder(root: Path) -> Iterator[LadderWorld]:
    """Found the space with two people who approve, and let three contributors deposit; stop all at the end."""
    ports = free_ports(1 + parties.HOLDER_COUNT)
    origins = [f"http://127.0.0.1:{port}" for port in ports]
    places = Places(root, origins[0], tuple(origins[1:]), ROOT / "policies")
    (root / "logs").mkdir(parents=True)
    with one_transport(), MortalProcesses(root / "logs") as processes:
        parties.make_parties(processes, places)
        parties.found_space(processes, places)
        world = LadderWorld(processes, places)
        for party, numbers in KNOWN.items():
            file = world.emails(party.party_id, [*numbers, 1000 + len(party.name)])
            world.run(party, *world.deposit(party, file, ["police"]))
        yield world
