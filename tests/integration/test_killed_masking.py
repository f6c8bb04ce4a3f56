"""`narrowgate deposit add` of 60,000 rows, killed with SIGKILL while it reads, masks and sends: one deposit in the end.

Rule: after each kill nothing of the commands runs on, and nothing in the home can be read; each further run goes on
behind the last run of records that was kept whole, whose files it does not write again.
"""

import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients.cli import run
from clients.demo.parties import COMPANY
from clients.depositing import deposit_index, masking_runs
from clients.depositing.masking_runs import MaskingRuns
from tests.integration import processes_world
from tests.integration.processes_world import World, email, wait_until

pytestmark = pytest.mark.all_only

ROWS = 60_000
"""Four runs of masked records."""
FIRST = 500_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with processes_world.running_world(tmp_path_factory.mktemp("space") / "parties") as running:
        yield running


class Killed:
    """One command again and again, each time killed a random while after a moment."""

    def __init__(self, world: World, command: tuple[str | Path, ...], chance: random.Random) -> None:
        self.world = world
        self.command = command
        self.chance = chance
        self.home = world.places.home(COMPANY)

    def after(self, moment: Callable[[], bool], what: str, at_most_seconds: float) -> None:
        running = self.world.processes.start(self.command)
        wait_until(lambda: moment() or running.process.poll() is not None, what)
        time.sleep(self.chance.uniform(0.0, at_most_seconds))
        family = descendants(running.process.pid)
        running.process.kill()
        running.process.wait()
        assert running.process.returncode == -signal.SIGKILL, f"it had ended before it was killed: {what}"
        wait_until(lambda: not any(map(is_running, family)), "what it had started ended with it")
        # Only now: whoever it had started would hold its standard output open.
        running.kill()
        assert readable_in(self.home) == []


def test_a_deposit_killed_at_random_while_reading_masking_and_sending_is_one_deposit(world: World) -> None:
    file = world.emails("killed-masking", range(FIRST, FIRST + ROWS))
    killed = Killed(world, world.deposit(COMPANY, file, ["company"]), random.Random(20))
    assert file in readable_in(file.parent), "the search finds an address where one is"
    home = run.open_home(killed.home)
    spilled = killed.home / "working" / "spilled"
    before = deposits_of(world)

    # 1. Twice while it reads: nothing is masked yet, and what was spilled is swept by the next.
    for _ in range(2):
        killed.after(lambda: any(spilled.glob("*")), "rows are spilled", 0.8)
        assert list(masking_runs.unfinished(home)) == []

    # 2. While it masks, behind the first run and again behind the third; then while the runs are merged.
    def runs_kept(number: int) -> bool:
        return any(each.done >= number for each in masking_runs.unfinished(home))

    kept: dict[Path, int] = {}
    deposit_ids = set()
    for number in (1, 3, 4):
        killed.after(lambda number=number: runs_kept(number), f"{number} runs are kept", 0.3)  # type: ignore[misc]
        [runs] = masking_runs.unfinished(home)
        deposit_ids.add(runs.plan.deposit_id)
        assert runs.done >= number
        assert written_at(killed.home, runs).items() >= kept.items(), "what was masked was masked again"
        kept = written_at(killed.home, runs)
        assert len(kept) == runs.done
        assert deposits_of(world) == before, "nothing was sent"
    [deposit_id] = deposit_ids

    # 3. Twice while it sends; what the broker has is not sent again.
    arrived = [0]

    def stored_more() -> bool:
        return records_stored(world, deposit_id) > arrived[-1]

    for _ in range(2):
        killed.after(stored_more, "records were stored", 0.1)
        arrived.append(records_stored(world, deposit_id))
    assert 0 < arrived[1] < arrived[2] < ROWS

    # 4. Left alone, it ends, and the same once more changes nothing.
    done = world.run(COMPANY, *killed.command).json()["deposits"]
    assert [each["deposit_id"] for each in done] == [deposit_id.hex()]
    assert [each["records"] for each in done] == [ROWS]
    [again] = world.run(COMPANY, *killed.command).json()["deposits"]
    assert (again["deposit_id"], again["repeated"]) == (deposit_id.hex(), True)

    assert deposits_of(world) - before == {(deposit_id, ROWS + 1, "serving")}
    assert_every_identifier_once(world, deposit_id)
    assert_nothing_is_left_of_the_work(killed.home, deposit_id)
    assert readable_in(killed.home) == []
    assert world.audit()["verified"]


# --- what is asked of it ---


def assert_every_identifier_once(world: World, deposit_id: bytes) -> None:
    """The broker has each token of the home's index once, and the test record; the index has each identifier once."""
    query = "SELECT token FROM records JOIN deposits USING (deposit_number) WHERE deposit_id = ?"
    stored = [token for (token,) in world.books.rows(query, deposit_id)]
    rows = list(deposit_index.rows(run.open_home(world.places.home(COMPANY)).vault, deposit_id))
    assert len(stored) == len(set(stored)) == ROWS + 1
    assert len({row.key for row in rows}) == len(rows) == ROWS
    assert len({row.token for row in rows} & set(stored)) == ROWS
    for kind in ("DEPOSIT_ADMITTED", "DEPOSIT_COMPLETED", "DEPOSIT_SERVING"):
        assert len(world.books.entries(kind, deposit_id=deposit_id)) == 1, kind


def assert_nothing_is_left_of_the_work(home: Path, deposit_id: bytes) -> None:
    """No spilled row, no run, no half-written file, no masked record."""
    assert not (home / "working" / "spilled").exists()
    kept = {"declaration.jws", "deposit.json", "index", "leaves", "references", "self-test.jws"}
    assert {each.name for each in (home / "deposits" / deposit_id.hex()).iterdir()} == kept
    assert list((home / "deposits").rglob(".*")) == []


def readable_in(home: Path) -> list[Path]:
    """The files of a home in which part of an address stands, in bytes or in UTF-16."""
    needles = ("seller.", email(FIRST).partition("@")[2])
    wanted = [needle.encode(code) for needle in needles for code in ("utf-8", "utf-16-le")]
    found = []
    for path in home.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            # The broker's and the holders' addresses are at 127.0.0.1, and the agency's papers name no address.
            found += [path] if any(each in data for each in wanted) else []
    return found


def written_at(home: Path, runs: MaskingRuns) -> dict[Path, int]:
    """When each whole run's index was written, in nanoseconds: the last of its files."""
    folder = home / "deposits" / runs.plan.deposit_id.hex() / "masking"
    return {path: path.stat().st_mtime_ns for path in sorted(folder.glob("index-*"))}


def deposits_of(world: World) -> set[tuple[bytes, int, str]]:
    """Id, records and state of each of the company's deposits at the broker."""
    query = "SELECT deposit_id, records_stored, state FROM deposits WHERE contributor = ?"
    return set(world.books.rows(query, COMPANY.party_id))


def records_stored(world: World, deposit_id: bytes) -> int:
    """How many records of a deposit the broker has."""
    found = world.books.rows("SELECT records_stored FROM deposits WHERE deposit_id = ?", deposit_id)
    return int(found[0][0]) if found else 0


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that they did (proc(5))."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
