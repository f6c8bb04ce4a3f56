"""A key holder killed, on a failing disk, without its file, and on an old copy: one permit is charged once."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from clients.keyholder.context import DATABASE_FILE
from tests import tracing
from tests.faults.holder import NAME, Evaluation, HolderRounds, calling, evaluations
from tests.faults.lines import Calling
from tests.keyholder_world import World

pytestmark = pytest.mark.all_only

MARK = f"{NAME}.high-water"
FAILPOINTS = {
    "after the charge": "clients.keyholder.store.permits:charge_permit@after",
    "after the entry": "clients.keyholder.store.log:SqlLogStorage.grow@after",
    "before the commit": "sqlalchemy.engine.default:DefaultDialect.do_commit",
    "after the commit": "sqlalchemy.engine.default:DefaultDialect.do_commit@after",
    "before the mark": "clients.keyholder.high_water:write_durably",
    "after the mark": "clients.keyholder.high_water:write_durably@after",
    "before the answer": "clients.keyholder.evaluation:_answer",
}
PERMITS = 120


@dataclass(frozen=True)
class Prepared:
    """A stopped key holder with its mark beside it, and what it will be asked."""

    folder: Path
    calling: Calling
    evaluations: list[Evaluation]

    def rounds(self, to: Path, fault: str, seed: int) -> HolderRounds:
        """A key holder of the test's own."""
        shutil.copytree(self.folder / NAME, to / NAME)
        shutil.copy(self.folder / MARK, to / MARK)
        return HolderRounds(to / NAME, self.calling, self.evaluations, fault, seed)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("holders")
    world = World(folder)
    asked = evaluations(world, PERMITS)
    world.close()
    return Prepared(folder, calling(world), asked)


def test_a_holder_killed_at_random_loses_and_charges_nothing_twice(
    prepared: Prepared, tmp_path: Path
) -> None:
    rounds = prepared.rounds(tmp_path, "kill -9 at random", seed=71)
    for _ in range(4):
        rounds.call(seconds=rounds.chance.uniform(0.2, 0.6))
        rounds.holder.process.kill()
        rounds.restart()
    assert rounds.end().acknowledged > 10


@pytest.mark.parametrize("point", FAILPOINTS)
def test_a_holder_killed_within_a_step_loses_and_charges_nothing_twice(
    prepared: Prepared, tmp_path: Path, point: str
) -> None:
    rounds = prepared.rounds(tmp_path, f"kill -9 {point}", seed=list(FAILPOINTS).index(point))
    for _ in range(2):
        rounds.holder.arm(FAILPOINTS[point], rounds.chance.randint(1, 8))
        rounds.call(seconds=60, until=lambda: not rounds.holder.alive)
        assert rounds.holder.died(), "the failpoint was reached"
        rounds.restart()
    rounds.end()


@pytest.mark.parametrize("calls", ["fsync,fdatasync", "write,pwrite64"])
def test_a_holder_whose_disk_fails_loses_and_charges_nothing_twice(
    prepared: Prepared, tmp_path: Path, calls: str
) -> None:
    tracing.install()
    rounds = prepared.rounds(tmp_path, f"EIO on {calls.replace(',', ' and ')}", seed=len(calls))
    files = [rounds.folder / name for name in (DATABASE_FILE, f"{DATABASE_FILE}-wal")]
    watched = [part for path in (*files, tmp_path / f".{MARK}.new", tmp_path) for part in ("-P", str(path))]
    failed = 0
    for number in range(3):
        trace, at = tmp_path / f"trace-{number}", rounds.chance.randint(1, 20)
        when = f"{at}" if number % 2 else f"{at}+"
        options = ("-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO:when={when}")
        with tracing.attached(rounds.holder.pid, trace, *watched, *options):
            rounds.call(seconds=1.5)
        failed += "INJECTED" in trace.read_text()
        rounds.restart()
    assert failed, "at least one call failed"
    rounds.end()


def test_a_holder_without_its_database_on_an_old_copy_or_without_its_mark_answers_nothing_and_does_not_start(
    prepared: Prepared, tmp_path: Path
) -> None:
    rounds = prepared.rounds(tmp_path, "database removed, old copy put back, mark removed", seed=72)
    rounds.call(seconds=0.3)
    rounds.holder.stop()
    older, right = tmp_path / "older", tmp_path / "right"
    shutil.copytree(rounds.folder, older)
    rounds.holder = rounds.start()
    assert rounds.call(seconds=0.5)
    move(rounds.folder, right)
    assert rounds.call(seconds=5) == 0, "the file is gone"
    rounds.refused("now has 0")
    move(older, rounds.folder)
    rounds.refused("old copy")
    move(right, rounds.folder)
    os.replace(tmp_path / MARK, tmp_path / "mark")
    rounds.refused("its high-water file is gone")
    os.replace(tmp_path / "mark", tmp_path / MARK)
    rounds.restart()
    rounds.end()


def move(folder: Path, to: Path) -> None:
    """Put the database's files there, in the place of any."""
    to.mkdir(exist_ok=True)
    for name in (DATABASE_FILE, f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm"):
        (to / name).unlink(missing_ok=True)
        if (folder / name).exists():
            os.replace(folder / name, to / name)
