"""A space of real processes for tests that kill them: broker, three key holders and agencies over loopback HTTP.

Rule: the parties are founded as in the demo, by their own commands, on real SQLite files; a test ends any of them with
SIGKILL and starts it again on the same folder. Whatever is killed is a process of its own; a command that is to run to
its end runs in this process, which spares the second that Python and its libraries take to start. `Books` reads a
service's database beside it, read-only.

What every answered request must be, `assert_answered_once` says; the rest is judged by the tests.
"""

import csv
import itertools
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from typer.testing import CliRunner

from broker import folder as broker_folder
from broker.protocol.documents import Signed
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Claims
from broker.protocol.messages.vocabulary import Tier
from clients.cli import run
from clients.cli.main import app
from clients.cli.papers import read_paper
from clients.demo import papers, parties
from clients.demo.parties import AUDITOR, COMPANY, DESK, HOLDERS, NGO, PAYMENTS, POLICE, Party, Places
from clients.demo.processes import DemoFailed, Finished, Processes, free_ports
from clients.keyholder import context as keyholder_context
from clients.legal_desk import LegalDesk
from clients.readers import RefusedRow, read_file
from clients.requester import Requester
from clients.transport import HttpTransport

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120.0
"""How long anything may take on a machine that does other work besides."""
KNOWN = {COMPANY: range(4), PAYMENTS: range(2, 6), NGO: range(5, 7)}
"""Which of `email(n)` each contributor holds; the police unit asks about the first ASKED of them."""
ASKED = 12
BLOCK = 100
BLOCKS = 100
"""The same again and again, from `email(BLOCK)`, `email(2 * BLOCK)` and so on: each request is about a block of its
own, since an agency that finds the same targets again and again is refused (L10a)."""


def email(number: int) -> str:
    """An address that nobody has."""
    return f"seller.{number}@example.org"


EXPECTED = frozenset(number for numbers in KNOWN.values() for number in numbers)
"""The hits of a request, as places in its block: plain set intersection."""
PAIRS = sum(len(numbers) for numbers in KNOWN.values())
"""The hits as the broker counts them: (identifier, deposit)."""


def wait_until(condition: Callable[[], bool], what: str, pause_seconds: float = 0.001) -> None:
    """Look until `condition` holds. Raises AssertionError when it does not for PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(pause_seconds)
    raise AssertionError(f"waited in vain: {what}")


@dataclass(frozen=True)
class Background:
    """A command that runs beside the test."""

    process: subprocess.Popen[str]

    def finish(self) -> Finished:
        """Wait for its end, whatever the exit code."""
        output, errors = self.process.communicate(timeout=PATIENCE_SECONDS)
        return Finished(self.process.returncode, output, errors)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.communicate()


@dataclass
class MortalProcesses(Processes):
    """Processes of which any may be killed, or stopped for a while."""

    background: list[Background] = field(default_factory=list)
    here: threading.Lock = field(default_factory=threading.Lock)
    """Held by the one command that runs in this process: its standard output is caught."""

    def run(self, role: str, arguments: Sequence[str | Path], expect: Sequence[int] = (0,)) -> Finished:
        """Run `narrowgate ARGUMENTS` here. Raises DemoFailed when it ends with another code than `expect`."""
        words = [str(argument) for argument in arguments]
        with self.here:
            result = CliRunner().invoke(app, words, prog_name="narrowgate")
        if result.exit_code not in expect:
            raise DemoFailed(f"{role}: {words[:2]} ended with {result.exit_code}:\n{result.output}")
        return Finished(result.exit_code, result.stdout, result.stderr)

    def start(self, arguments: Sequence[str | Path]) -> Background:
        """Start `narrowgate ARGUMENTS` and do not wait for it."""
        command = [sys.executable, "-m", "clients.cli.main", *(str(argument) for argument in arguments)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.background.append(Background(process))
        return self.background[-1]

    def kill(self, role: str) -> None:
        """End a service with SIGKILL: it writes, closes and answers nothing more."""
        process = self.serving.pop(role)
        process.kill()
        process.wait()

    def freeze(self, role: str) -> None:
        """Stop a service where it is."""
        self.serving[role].send_signal(signal.SIGSTOP)

    def thaw(self, role: str) -> None:
        """Let a stopped service go on."""
        self.serving[role].send_signal(signal.SIGCONT)

    def __enter__(self) -> "MortalProcesses":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self.background:
            if one.process.poll() is None:
                one.kill()
        for role in self.serving:
            self.thaw(role)
        super().__exit__(kind, error, trace)


@dataclass(frozen=True)
class Books:
    """What a running service's database holds. Not to be read while the service is down: it might be repaired."""

    path: Path

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(query, parameters).fetchall()

    def entries(self, kind: str, **members: bytes) -> list[dict[str, Any]]:
        """The records of all log entries of a kind whose members are those."""
        query = "SELECT leaf, record FROM log_leaves JOIN log_records USING (leaf_index) ORDER BY leaf_index"
        found = [json.loads(record) for leaf, record in self.rows(query) if json.loads(leaf)["kind"] == kind]
        wanted = {name: value.hex() for name, value in members.items()}
        return [record for record in found if wanted.items() <= record.items()]

    def log_size(self) -> int:
        """How many entries the log has."""
        return int(self.rows("SELECT size FROM log_head")[0][0])


@dataclass(frozen=True)
class Asked:
    """A request that is prepared, with the legal desk's finding, and not yet sent."""

    request_id: bytes
    finding: Path

    @property
    def name(self) -> str:
        """As commands take it."""
        return self.request_id.hex()


@dataclass(frozen=True)
class World:
    """The running space."""

    processes: MortalProcesses
    places: Places
    blocks: Iterator[int] = field(default_factory=itertools.count)
    """Of addresses that nobody asked about yet."""

    @property
    def books(self) -> Books:
        """The broker's database."""
        return Books(self.places.home("broker") / broker_folder.DATABASE_FILE)

    def holder_books(self, number: int) -> Books:
        """The database of key holder `number`, from 1."""
        return Books(self.places.home(HOLDERS[number - 1]) / keyholder_context.DATABASE_FILE)

    def start_broker(self) -> None:
        """Start the broker again on its folder."""
        parties.start_broker(self.processes, self.places)

    def start_holder(self, number: int) -> None:
        """Start key holder `number`, from 1, again on its folder."""
        origin = self.places.holder_origins[number - 1]
        home = self.places.home(HOLDERS[number - 1])
        arguments = ("keyholder", "serve", home, "--port", origin.rpartition(":")[2])
        self.processes.serve(f"holder-{number}", arguments, origin)

    def run(self, party: Party, *arguments: str | Path, expect: Sequence[int] = (0,)) -> Finished:
        """Run a party's command to its end."""
        return self.processes.run(party.party_id, arguments, expect)

    def space(self, party: Party) -> Signed[Space]:
        """The space as a party pinned it."""
        return run.open_home(self.places.home(party)).space(None)

    def emails(self, name: str, numbers: Sequence[int]) -> Path:
        """A file of addresses, as a contributor has one."""
        path = self.places.root / "files" / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("email",), *((email(number),) for number in numbers)])
        return path

    def deposit(self, party: Party, file: Path, readers: Sequence[str]) -> tuple[str | Path, ...]:
        """The command with which a party deposits a file for these readers; its papers are written."""
        paper = papers.conditions(
            party.kind or "",
            party.jurisdiction,
            subject="suspect",
            permitted_readers=list(readers),
            transfer_ground="safeguards",
            now=int(time.time()),
        )
        path = papers.write(self.places.home(party) / f"{file.stem}-conditions.json", paper)
        return ("deposit", "add", self.places.home(party), file, "--conditions", path, "--json")

    def ask(self, case: str) -> Asked:
        """The police unit prepares a request about ASKED addresses, and the legal desk signs its finding."""
        folder = self.places.root / "papers"
        paper = papers.write(folder / f"{case}-claims.json", papers.claims(case, int(time.time())))
        first = next(self.blocks) * BLOCK
        rows = read_file(self.emails(case, range(first, first + ASKED)), default_region=None)
        texts = [row.canonical.text for row in rows if not isinstance(row, RefusedRow)]
        assert len(texts) == ASKED
        unit = run.open_home(self.places.home(POLICE))
        space = unit.space(None).payload
        requester = Requester(unit, space, run.caller(unit), run.clock, run.random_bytes)
        prepared = requester.prepare({"email": texts}, read_paper(Claims, paper, "the claims"), Tier.HITS)
        lawyer = run.open_home(self.places.home(DESK))
        desk = LegalDesk(lawyer, space, run.clock, run.random_bytes)
        found = desk.find(prepared.document, desk.template(prepared.request.payload))
        finding = folder / f"{case}-finding.jws"
        finding.write_text(found.document)
        return Asked(prepared.request_id, finding)

    def request(self, step: str, asked: Asked, *options: str, home: Path | None = None) -> list[str | Path]:
        """The police unit's command for a step of a request: file, evaluate, submit or send."""
        finding = ("--finding", asked.finding) if step in ("file", "send") else ()
        return ["request", step, home or self.places.home(POLICE), asked.name, *finding, *options, "--json"]

    def kept(self, asked: Asked) -> Path:
        """The folder in which the police unit keeps a request."""
        return self.places.home(POLICE) / "requests" / asked.name

    def state(self, asked: Asked) -> str | None:
        """How far a request has come at the broker; None before it came there."""
        found = self.books.rows("SELECT state FROM requests WHERE request_id = ?", asked.request_id)
        return str(found[0][0]) if found else None

    def permit_id(self, asked: Asked) -> bytes:
        """The one permit of an admitted request."""
        [(permit,)] = self.books.rows("SELECT permit_id FROM permits WHERE request_id = ?", asked.request_id)
        return bytes(permit)

    def audit(self) -> dict[str, Any]:
        """The auditor verifies the broker's whole log."""
        report: dict[str, Any] = self.run(
            AUDITOR, "audit", "verify", self.places.home(AUDITOR), "--json"
        ).json()
        return report


def assert_answered_once(world: World, asked: Asked, answer: dict[str, Any]) -> None:
    """The hits are right; admission, tokens, release and disclosure are recorded once each, and charged once."""
    found = {int(text.partition("|seller.")[2].partition("@")[0]) for text in answer["matched"]}
    assert {number % BLOCK for number in found} == EXPECTED
    assert len({number // BLOCK for number in found}) == 1
    permit = world.permit_id(asked)
    admitted = [
        record
        for record in world.books.entries("ADMITTED")
        if bytes.fromhex(record["terms"]["permit_id"]) == permit
    ]
    assert len(admitted) == 1
    digest = admitted[0]["terms"]["request_digest"]
    same = [one for one in world.books.entries("ADMITTED") if one["terms"]["request_digest"] == digest]
    assert len(same) == 1, "one request, one permit"
    for kind in ("TOKENS", "RELEASE", "RELEASED"):
        assert len(world.books.entries(kind, request_id=asked.request_id)) == 1, kind
    assert not world.books.entries("FAILED", request_id=asked.request_id)
    charges = world.books.rows("SELECT identifiers, hits FROM ledger WHERE request_id = ?", asked.request_id)
    assert charges == [(ASKED, PAIRS)]


@contextmanager
def one_transport() -> Iterator[None]:
    """Let all commands that run in this process share their connections, which are closed at the end."""
    usual = run.new_transport
    with HttpTransport() as transport:
        run.new_transport = lambda: transport
        try:
            yield
        finally:
            run.new_transport = usual


@contextmanager
def running_world(root: Path) -> Iterator[World]:
    """Found the space under `root` and let three contributors deposit; stop all processes at the end."""
    ports = free_ports(1 + parties.HOLDER_COUNT)
    origins = [f"http://127.0.0.1:{port}" for port in ports]
    places = Places(root, origins[0], tuple(origins[1:]), ROOT / "policies")
    (root / "logs").mkdir(parents=True)
    with one_transport(), MortalProcesses(root / "logs") as processes:
        parties.make_parties(processes, places)
        parties.found_space(processes, places)
        world = World(processes, places)

        def deposit(party: Party) -> None:
            held = [BLOCK * block + number for block in range(BLOCKS) for number in KNOWN[party]]
            file = world.emails(party.party_id, [*held, BLOCK * BLOCKS + len(party.name)])
            world.run(party, *world.deposit(party, file, ["police"]))

        parties.side_by_side(deposit, KNOWN)
        yield world
