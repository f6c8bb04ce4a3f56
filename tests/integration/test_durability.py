"""What a service acknowledged is on the disk, shown with strace on the real processes.

A kill does not test this: what was written but not synced survives it in the kernel's memory (AUDIT 4). So the order
of the system calls is looked at: whoever answers a call has synced the write-ahead log since it last wrote to it.
strace also ends the broker before each single one of its syncs, and lets one fail as a dying disk does.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.store import migrate
from broker.store.database import Database
from clients.cli.run import ExitCode
from clients.demo.parties import COMPANY, POLICE
from tests import tracing
from tests.integration import processes_world
from tests.integration.processes_world import World, assert_answered_once

pytestmark = pytest.mark.all_only

TRACED = "trace=write,pwrite64,writev,pwritev,fsync,fdatasync,sendto,sendmsg"
SYNCS = "fdatasync,fsync"
MOST_SYNCS = 12
"""More than any one call makes: the walk through them must end before."""
_CALL = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\((?P<number>\d+)<(?P<path>[^>]*)>+(?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<thread>\d+) +<\.\.\. (?P<name>\w+) resumed>.*= (?P<result>-?\d+|\?).*$")
_RESULT = re.compile(r"= (?P<result>-?\d+|\?)[^=]*$")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with processes_world.running_world(tmp_path_factory.mktemp("space") / "parties") as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def strace() -> None:
    """strace is there, or is installed where that is allowed."""
    tracing.install()


# --- the order of writing, syncing and answering ---


def test_the_broker_answers_each_step_only_after_its_entry_is_on_the_disk(
    world: World, tmp_path: Path
) -> None:
    asked = world.ask("broker-traced")
    with traced(world, "broker", tmp_path / "trace", "-e", TRACED):
        file = world.emails("traced", range(50_000, 50_100))
        world.run(COMPANY, *world.deposit(COMPANY, file, ["company"]))
        answer = world.run(POLICE, *world.request("send", asked)).json()
    found = read_trace(tmp_path / "trace")
    # Series, declaration, batch, completion, test record, serving; request and tokens: each is an acknowledged step.
    assert found.answers >= 8
    assert found.syncs >= 2 * 8, "the nonce of each call, then the step itself"
    assert found.too_early == []
    assert_answered_once(world, asked, answer)


def test_a_key_holder_answers_only_after_the_charge_is_on_the_disk(world: World, tmp_path: Path) -> None:
    asked = world.ask("holder-traced")
    world.run(POLICE, *world.request("file", asked))
    with traced(world, "holder-1", tmp_path / "trace", "-e", TRACED):
        world.run(POLICE, *world.request("evaluate", asked, "--quorum", "1,2"))
    found = read_trace(tmp_path / "trace")
    assert found.answers >= 3, "one for each series"
    assert found.syncs >= 2 * 3
    assert found.too_early == []


def test_a_key_holder_marks_how_far_its_log_came_before_it_answers(world: World, tmp_path: Path) -> None:
    asked = world.ask("mark-traced")
    world.run(POLICE, *world.request("file", asked))
    with traced(world, "holder-1", tmp_path / "trace", "-e", f"{TRACED},rename,renameat,renameat2"):
        world.run(POLICE, *world.request("evaluate", asked, "--quorum", "1,2"))
    steps = mark_steps(tmp_path / "trace")
    # Each series: its entry synced, then the mark written, synced, put in place and its folder synced, then the answer.
    assert steps.count("answer") == 3
    assert " ".join(steps).split(" answer") == [
        "entry mark place folder",
        *2 * [" entry mark place folder"],
        "",
    ]


def test_a_trace_without_the_syncs_does_not_pass(world: World, tmp_path: Path) -> None:
    asked = world.ask("without-syncs")
    with traced(world, "broker", tmp_path / "trace", "-e", TRACED):
        world.run(POLICE, *world.request("file", asked))
    assert read_trace(tmp_path / "trace").too_early == []
    lines = (tmp_path / "trace").read_text().splitlines()
    kept = [line for line in lines if not re.search(r"fdatasync|fsync", line)]
    (tmp_path / "cut").write_text("\n".join(kept))
    assert read_trace(tmp_path / "cut").too_early


# --- callers who share a commit ---


def test_nobody_of_a_group_is_answered_before_the_one_sync_that_they_share(tmp_path: Path) -> None:
    told = group_of_callers(tmp_path, "-e", TRACED)
    # The refused one has left no gap, and was told no earlier than the others.
    assert sorted(told) == [*(f"answer {index}" for index in range(5)), "refused"]
    found = read_trace(tmp_path / "trace", ('"answer ', '"refused'))
    assert (found.answers, found.too_early) == (6, [])
    assert found.commits == 1
    lines = (tmp_path / "trace").read_text().splitlines()
    kept = [line for line in lines if not re.search(r"fdatasync|fsync", line)]
    (tmp_path / "cut").write_text("\n".join(kept))
    assert len(read_trace(tmp_path / "cut", ('"answer ', '"refused')).too_early) == 6


def test_a_sync_that_fails_fails_every_one_of_the_group(tmp_path: Path) -> None:
    told = group_of_callers(tmp_path, "-e", f"trace={SYNCS}", "-e", f"inject={SYNCS}:error=EIO")
    assert "EIO" in (tmp_path / "trace").read_text()
    assert told == ["failed"] * 6


def group_of_callers(folder: Path, *options: str) -> list[str]:
    """What callers who came at once were told, in that order, by a process under strace; the trace is `trace`."""
    path = folder / "broker.sqlite3"
    prepared = Database(f"sqlite:///{path}")
    migrate.upgrade(prepared)
    prepared.close()
    program = [sys.executable, "-m", "tests.integration.group_of_callers", str(path)]
    command = ["strace", "-f", "-y", "-o", str(folder / "trace"), *options, *program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.splitlines()


# --- dying at a sync ---


@pytest.mark.parametrize("step", ["file", "submit"])
def test_a_broker_killed_before_any_one_of_its_syncs_answers_the_request_once(
    world: World, tmp_path: Path, step: str
) -> None:
    deaths = 0
    for sync in range(1, MOST_SYNCS):
        asked = world.ask(f"dies-at-sync-{sync}-of-{step}")
        if step == "submit":
            world.run(POLICE, *world.request("file", asked))
            world.run(POLICE, *world.request("evaluate", asked))
        options = ("-e", f"trace={SYNCS}", "-e", f"inject={SYNCS}:signal=KILL:when={sync}")
        with traced(world, "broker", tmp_path / f"trace-{sync}", *options):
            done = world.processes.start(world.request(step, asked)).finish()
        died = world.processes.serving["broker"].poll() is not None
        if died:
            assert done.code == ExitCode.UNREACHABLE
            world.processes.kill("broker")
            world.start_broker()
        assert_answered_once(world, asked, world.run(POLICE, *world.request("send", asked)).json())
        if not died:
            break
        deaths += 1
    # A nonce and an entry for the one; a nonce, the tokens, the decision and the disclosure for the other. Where SQLite
    # just then moves its write-ahead log into the file, there are a few more.
    assert deaths >= {"file": 2, "submit": 4}[step]
    assert world.audit()["verified"]


def test_a_broker_whose_disk_fails_discloses_nothing_until_it_is_restarted(
    world: World, tmp_path: Path
) -> None:
    asked = world.ask("disk-fails")
    world.run(POLICE, *world.request("file", asked))
    world.run(POLICE, *world.request("evaluate", asked))
    # From the second sync on: the second alone may be a checkpoint's, whose failure the database gets over.
    options = ("-e", f"trace={SYNCS}", "-e", f"inject={SYNCS}:error=EIO:when=2+")
    with traced(world, "broker", tmp_path / "trace", *options):
        world.run(POLICE, *world.request("submit", asked), expect=(ExitCode.UNREACHABLE,))
    assert "EIO" in (tmp_path / "trace").read_text()
    assert not (world.kept(asked) / "disclosure.jws").exists()
    # The disk is well again, and what it holds is not known: the broker stays closed.
    world.run(POLICE, *world.request("submit", asked), expect=(ExitCode.UNREACHABLE,))
    world.processes.kill("broker")
    world.start_broker()
    assert_answered_once(world, asked, world.run(POLICE, *world.request("submit", asked)).json())
    assert world.audit()["verified"]


# --- what the tests share ---


@dataclass(frozen=True)
class Order:
    """What a trace shows: answers sent, syncs that returned, and the answers sent over unsynced bytes."""

    answers: int
    syncs: int
    too_early: list[str]
    commits: int
    """Syncs after which something was answered before the log was written to again."""


_MARK_NAME = "court-office.high-water"


def mark_steps(path: Path) -> list[str]:
    """What a holder's trace shows of each step, in order: `entry` (the last sync of the write-ahead log before the mark
    is written), `mark` (its bytes synced), `place` (renamed), `folder` (that synced), `answer`."""
    steps: list[str] = []
    synced = False
    for line in path.read_text(errors="replace").splitlines():
        if "sync(" in line and "-wal>" in line:
            synced = True
        elif "write(" in line and f".{_MARK_NAME}.new>" in line:
            steps += ["entry"] if synced else ["mark too early"]
        elif "sync(" in line and f".{_MARK_NAME}.new>" in line:
            steps.append("mark")
        elif "rename" in line and _MARK_NAME in line:
            steps.append("place")
            synced = False
        elif "sync(" in line and steps[-1:] == ["place"]:
            steps.append("folder")
        elif '"HTTP/1.1 2' in line:
            steps.append("answer")
    return steps


@contextmanager
def traced(world: World, role: str, output: Path, *options: str) -> Iterator[None]:
    """Run the block with strace attached to a service; the trace is whole when the block has ended."""
    with tracing.attached(world.processes.serving[role].pid, output, *options):
        yield


def read_trace(path: Path, answer: tuple[str, ...] = ('"HTTP/1.1 2',)) -> Order:
    """Follow the bytes of the write-ahead log through a trace, in the order in which calls returned. `answer` is how
    what is written to a caller begins."""
    answers, syncs, commits, unsynced, told = 0, 0, 0, False, True
    begun: dict[str, bool] = {}
    too_early: list[str] = []
    for line in path.read_text(errors="replace").splitlines():
        resumed, call = _RESUMED.match(line), _CALL.match(line)
        if resumed and begun.pop(resumed["thread"], False) and resumed["result"] == "0":
            # A sync that began before a write and returned after it would prove nothing; one writer excludes that.
            syncs, unsynced = syncs + 1, False
        if call is None:
            continue
        on_log = call["path"].endswith("-wal")
        if call["name"] in ("fsync", "fdatasync") and on_log:
            begun[call["thread"]] = "unfinished" in call["rest"]
            if (returned := _RESULT.search(call["rest"])) and returned["result"] == "0":
                syncs, unsynced = syncs + 1, False
        elif call["name"].startswith(("write", "pwrite")) and on_log:
            unsynced, told = True, False
        elif call["name"].startswith(("send", "write")) and any(each in call["rest"] for each in answer):
            answers, commits, told = answers + 1, commits + (not told), True
            if unsynced:
                too_early.append(line[:60])
    return Order(answers, syncs, too_early, commits)
