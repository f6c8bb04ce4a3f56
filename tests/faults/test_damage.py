"""Bytes of a killed broker's database and write-ahead log are cut off, zeroed or flipped before it starts again.

SQLite takes a damaged write-ahead log for a shorter one, and a shorter log verifies. So each case is started twice by
the broker's own start: with a witness, where every entry that a witness saw is there or the start refuses; and as a
trial, where the row tells how many cases nobody would notice.
"""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker import folder as broker_folder
from broker import startup
from broker.folder import DATABASE_FILE
from broker.gate.shelf import BundleShelf
from broker.protocol.errors import NarrowgateError
from tests.faults.books import Books
from tests.faults.ground import Ground
from tests.faults.oracle import Judgement
from tests.faults.rounds import Rounds
from tests.faults.table import Row
from tests.faults.witness import WitnessProcess

pytestmark = pytest.mark.all_only

CASES = 40
WAL = f"{DATABASE_FILE}-wal"


@dataclass
class Crashed:
    """A broker that was killed under callers, and what its oracle knows; a witness saw its log."""

    rounds: Rounds
    witness: WitnessProcess
    broker: Path
    seen: int
    """Entries that the witness had cosigned by then."""

    def case(self, name: str, damage: Callable[[Path], None]) -> Path:
        """A copy of its folder with that damage."""
        to = self.broker.with_name(name)
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.broker, to)
        (to / f"{DATABASE_FILE}-shm").unlink(missing_ok=True)
        damage(to)
        return to

    def start(self, folder: Path, row: Row, trial: bool) -> Judgement | None:
        """Start on a case, by the broker's own start. Returns what is served, None if it refuses."""
        settings = broker_folder.read_settings(folder, trial=trial or None)
        keys, shelf = broker_folder.read_keys(folder), BundleShelf(folder)
        row.rounds += 1
        row.acknowledged = len(self.rounds.oracle.acknowledged)
        try:
            started = startup.start(settings, keys, shelf, lambda: self.rounds.ground.now, os.urandom)
        except NarrowgateError:
            row.refused += 1
            return None
        startup.stop(started)
        books = Books(f"sqlite:///{folder / DATABASE_FILE}")
        return self.rounds.oracle.judge(books)


@pytest.fixture(scope="module")
def crashed(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashed]:
    root = tmp_path_factory.mktemp("crashed")
    witness = WitnessProcess(root / "witness", ground.folder)
    broker = ground.copy(root / "broker", *witness.settings)
    rounds = Rounds(ground, broker, "crashed", seed=31, trial=False)
    rounds.call(seconds=3)
    rounds.writer.kill()
    seen = witness.seen()
    assert seen > rounds.oracle.given_out > rounds.books.first, "what was given out, the witness had seen"
    yield Crashed(rounds, witness, broker, seen)
    witness.kill()


def cut(chance: random.Random, data: bytearray) -> bytearray:
    """The end is missing."""
    return data[: chance.randrange(len(data))]


def zeroed(chance: random.Random, data: bytearray) -> bytearray:
    """A sector is zeros."""
    at = chance.randrange(len(data)) & ~511
    data[at : at + 512] = bytes(len(data[at : at + 512]))
    return data


def flipped(chance: random.Random, data: bytearray) -> bytearray:
    """One bit is another."""
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


@pytest.mark.parametrize("how", [cut, zeroed, flipped])
def test_a_damaged_write_ahead_log_is_refused_or_has_lost_nothing_that_a_witness_saw(
    crashed: Crashed, how: Callable[[random.Random, bytearray], bytearray]
) -> None:
    chance = random.Random(how.__name__)
    watched = Row(f"write-ahead log {how.__name__}, witness")
    alone = Row(f"write-ahead log {how.__name__}, trial: rounds that lost entries unnoticed are under lost")
    for _ in range(CASES):
        data = bytes(how(chance, bytearray((crashed.broker / WAL).read_bytes())))
        for row, trial in ((watched, False), (alone, True)):
            case = crashed.case("case", lambda folder, data=data: (folder / WAL).write_bytes(data))
            found = crashed.start(case, row, trial)
            if found is None:
                continue
            row.doubled += found.doubled
            row.torn += len(found.torn)
            if trial:
                row.lost += bool(found.lost)
            else:
                row.lost += sum(index < crashed.seen for index in found.lost)
    watched.keep()
    alone.keep()
    assert (watched.lost, watched.doubled, watched.torn, alone.doubled, alone.torn) == (0, 0, 0, 0, 0)
    assert alone.lost, "without a witness some cases are not noticed"
