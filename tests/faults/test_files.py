"""The broker's database files vanish, are replaced, are an old copy, or end in other entries than they did.

A broker that runs notices that its files are others (AUDIT 4). One that starts on files that fit together and are older
than they were cannot: a witness can. What a trial without witnesses would serve is measured in rows of its own.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.folder import DATABASE_FILE
from tests.faults.ground import Ground
from tests.faults.rounds import Rounds
from tests.faults.witness import WitnessProcess
from tests.faults.writer import Refused

pytestmark = pytest.mark.all_only

ROUNDS = 2
NAMES = (DATABASE_FILE, f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm")


@pytest.fixture
def witness(ground: Ground, tmp_path: Path) -> Iterator[WitnessProcess]:
    process = WitnessProcess(tmp_path / "witness", ground.folder)
    yield process
    process.kill()


@pytest.fixture
def witnessed(ground: Ground, witness: WitnessProcess, tmp_path: Path) -> Path:
    """The folder of a broker that a witness watches."""
    return ground.copy(tmp_path / "witnessed", *witness.settings)


def move(folder: Path, to: Path) -> None:
    """Move the database's files."""
    to.mkdir(exist_ok=True)
    for name in NAMES:
        if (folder / name).exists():
            os.replace(folder / name, to / name)


def copy(folder: Path, to: Path) -> Path:
    """Copy the files of a stopped broker's database."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    for name in NAMES:
        if (folder / name).exists():
            shutil.copy(folder / name, to / name)
    return to


def refused_until_put_back(rounds: Rounds, right: Path, words: str) -> None:
    """The start refuses, twice; on the right files nothing is lost."""
    rounds.writer.kill()
    for _ in range(2):
        with pytest.raises(Refused, match=words):
            rounds.start()
    rounds.row.refused += 1
    for name in NAMES:
        (rounds.folder / name).unlink(missing_ok=True)
    move(right, rounds.folder)
    rounds.restart()


@pytest.mark.parametrize("trial", [True, False], ids=["trial", "witnessed"])
def test_a_broker_whose_database_is_removed_acknowledges_nothing_and_does_not_start_anew(
    ground: Ground, folder: Path, witnessed: Path, tmp_path: Path, trial: bool
) -> None:
    kind = "trial" if trial else "witness"
    rounds = Rounds(ground, folder if trial else witnessed, f"database removed, {kind}", seed=21, trial=trial)
    for number in range(ROUNDS):
        rounds.call(seconds=0.5, least=4)
        move(rounds.folder, tmp_path / f"removed-{number}")
        assert rounds.call(seconds=5) == 0
        refused_until_put_back(
            rounds, tmp_path / f"removed-{number}", "No rules are in force|saw a larger log"
        )
    rounds.end()


def test_a_broker_whose_database_is_replaced_acknowledges_nothing_and_does_not_start_on_the_other(
    ground: Ground, witnessed: Path, tmp_path: Path
) -> None:
    rounds = Rounds(ground, witnessed, "database replaced under the broker, witness", seed=22, trial=False)
    for number in range(ROUNDS):
        rounds.writer.stop()
        older = copy(witnessed, tmp_path / "older")
        rounds.writer = rounds.start()
        rounds.call(seconds=0.5, least=4)
        move(witnessed, tmp_path / f"right-{number}")
        move(older, witnessed)
        assert rounds.call(seconds=5) == 0
        refused_until_put_back(rounds, tmp_path / f"right-{number}", "saw a larger log")
    rounds.end()


def test_an_old_copy_put_back_does_not_start(ground: Ground, witnessed: Path, tmp_path: Path) -> None:
    rounds = Rounds(ground, witnessed, "old copy put back, witness", seed=23, trial=False)
    for number in range(ROUNDS):
        rounds.writer.stop()
        older = copy(witnessed, tmp_path / "older")
        rounds.writer = rounds.start()
        assert rounds.call(seconds=0.5, least=4)
        rounds.writer.stop()
        move(witnessed, tmp_path / f"right-{number}")
        move(older, witnessed)
        refused_until_put_back(rounds, tmp_path / f"right-{number}", "saw a larger log")
    rounds.end()


def test_a_copy_with_another_tail_does_not_start_however_long_it_is(
    ground: Ground, witnessed: Path, tmp_path: Path
) -> None:
    rounds = Rounds(ground, witnessed, "tail rewritten, witness", seed=24, trial=False)
    for number in range(ROUNDS):
        rounds.writer.stop()
        older = copy(witnessed, tmp_path / "older")
        rounds.writer = rounds.start()
        assert rounds.call(seconds=0.5, least=4)
        rounds.writer.stop()
        size = len(rounds.books.leaves())
        move(witnessed, tmp_path / f"right-{number}")
        move(older, witnessed)
        # The operator's own keys, no witness asked: another story from there on, at least as long.
        forger = Rounds(ground, witnessed, "the forger's", seed=25 + number)
        while len(forger.books.leaves()) <= size:
            forger.call(seconds=0.5)
        forger.writer.stop()
        refused_until_put_back(rounds, tmp_path / f"right-{number}", "saw another log")
    rounds.end()


def test_without_a_witness_an_old_copy_is_served(ground: Ground, folder: Path, tmp_path: Path) -> None:
    """What a trial cannot tell: docs/threat-model.md says so."""
    rounds = Rounds(ground, folder, "old copy put back, trial: not found", seed=26)
    rounds.writer.stop()
    older = copy(folder, tmp_path / "older")
    rounds.writer = rounds.start()
    assert rounds.call(seconds=1, least=4)
    rounds.writer.stop()
    move(folder, tmp_path / "right")
    move(older, folder)
    rounds.writer = rounds.start()
    rounds.row.rounds += 1
    rounds.note(rounds.compare())
    rounds.writer.stop()
    rounds.row.keep()
    assert rounds.row.lost == rounds.row.acknowledged


def test_a_second_process_on_the_same_file_is_refused_and_the_first_goes_on(
    ground: Ground, folder: Path
) -> None:
    rounds = Rounds(ground, folder, "second process on one SQLite file", seed=27)
    for _ in range(ROUNDS):
        rounds.call(seconds=0.3, least=4)
        with pytest.raises(Refused, match="Another process owns this database"):
            rounds.start()
        rounds.row.refused += 1
        assert rounds.call(seconds=0.5, least=4)
        rounds.restart()
    rounds.end()
