"""Bytes of a killed broker's database and write-ahead log are cut off, zeroed or flipped before it starts again.

SQLite takes a damaged write-ahead log for a shorter one, and a shorter log verifies. So each case is started twice by
the broker's own start: with a witness, where every entry that a witness saw is there or the start refuses; and as a
trial, where the row tells how many cases nobody would notice.
"""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from broker import folder as broker_folder
from broker import startup
from broker.folder import DATABASE_FILE
from broker.gate.shelf import BundleShelf
from broker.protocol.errors import NarrowgateError, Unavailable
from broker.store.database import Database
from tests.faults.books import Books
from tests.faults.ground import Ground
from tests.faults.rounds import Rounds
from tests.faults.table import Row
from tests.faults.witness import WitnessProcess

pytestmark = pytest.mark.all_only

CASES = 40
WAL = f"{DATABASE_FILE}-wal"
WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
LEAST_LIVE_BYTES = 400_000
"""Of frames that a start reads: a checkpoint just before the kill leaves few, and damage to others shows nothing."""


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

    def start(self, folder: Path, row: Row, trial: bool) -> Books | None:
        """Start on a case, by the broker's own start. Returns what is served, None if it refuses in its own words."""
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
        return Books(f"sqlite:///{folder / DATABASE_FILE}")


@pytest.fixture(scope="module")
def crashed(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashed]:
    root = tmp_path_factory.mktemp("crashed")
    witness = WitnessProcess(root / "witness", ground.folder)
    broker = ground.copy(root / "broker", *witness.settings)
    rounds = Rounds(ground, broker, "crashed", seed=31, trial=False)
    rounds.call(seconds=2, least=20)
    for _ in range(20):
        if live((broker / WAL).read_bytes()) >= LEAST_LIVE_BYTES:
            break
        rounds.call(seconds=0.2)
    rounds.writer.kill()
    assert live((broker / WAL).read_bytes()) >= LEAST_LIVE_BYTES, "there is something to damage"
    seen = witness.seen()
    assert seen > rounds.oracle.given_out > rounds.books.first, "what was given out, the witness had seen"
    yield Crashed(rounds, witness, broker, seen)
    witness.kill()


def live(data: bytes | bytearray) -> int:
    """Bytes of a write-ahead log that a start reads: frames with the salts of its header (SQLite, file format 4)."""
    page_bytes, salts, at = int.from_bytes(data[8:12], "big"), data[16:24], WAL_HEADER_BYTES
    while salts and data[at + 8 : at + 16] == salts:
        at += FRAME_HEADER_BYTES + page_bytes
    return at


def cut(chance: random.Random, data: bytearray) -> bytearray:
    """The end is missing."""
    return data[: chance.randrange(live(data))]


def zeroed(chance: random.Random, data: bytearray) -> bytearray:
    """A sector is zeros."""
    at = chance.randrange(live(data)) & ~511
    data[at : at + 512] = bytes(len(data[at : at + 512]))
    return data


def flipped(chance: random.Random, data: bytearray) -> bytearray:
    """One bit is another."""
    data[chance.randrange(live(data))] ^= 1 << chance.randrange(8)
    return data


def put_log(data: bytes, folder: Path) -> None:
    """Another write-ahead log."""
    (folder / WAL).write_bytes(data)


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
            case = crashed.case("case", partial(put_log, data))
            books = crashed.start(case, row, trial)
            if books is None:
                continue
            found = crashed.rounds.oracle.judge(books)
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


@pytest.mark.parametrize(
    ("what", "table", "column"),
    [
        ("a leaf", "log_leaves", "leaf"),
        ("the stored hashes", "log_leaves", "hashes"),
        ("a record", "log_records", "record"),
        ("the head", "log_head", "root"),
    ],
)
def test_one_flipped_bit_of_the_log_is_refused_at_start(
    crashed: Crashed, what: str, table: str, column: str
) -> None:
    chance = random.Random(what)
    row = Row(f"one bit flipped in {what}, trial")
    for _ in range(10):
        case = crashed.case("flipped", lambda folder: flip_in(chance, folder / DATABASE_FILE, table, column))
        assert crashed.start(case, row, trial=True) is None
    row.keep()


def flip_in(chance: random.Random, database: Path, table: str, column: str) -> None:
    """Flip one bit of one row, with a tool that knows nothing of the broker."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(f"SELECT {column} FROM {table}").fetchall()
        before = chance.choice(rows)[0]
        after = bytes(flipped(chance, bytearray(before)))
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (after, before))
        connection.commit()


def test_flipped_bits_anywhere_in_the_database_lose_nothing_unnoticed_and_are_told_in_plain_words(
    crashed: Crashed,
) -> None:
    """What is not of the log, such as a deposit's record, has proofs of its own that its readers check."""
    chance = random.Random("file")
    row = Row("a sector zeroed or a bit flipped in the database file, trial")

    def damage(folder: Path) -> None:
        with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (folder / WAL).unlink(missing_ok=True)
        data = bytearray((folder / DATABASE_FILE).read_bytes())
        (folder / DATABASE_FILE).write_bytes(chance.choice((flipped, zeroed))(chance, data))

    for _ in range(CASES):
        books = crashed.start(crashed.case("sector", damage), row, trial=True)
        row.lost += 0 if books is None else len(crashed.rounds.oracle.lost(books.leaves()))
    row.keep()
    assert row.lost == 0


@pytest.mark.parametrize(
    ("start", "end"), [(0, 100), (100, 4096), (None, None)], ids=["header", "page", "half"]
)
def test_a_database_that_is_none_any_more_is_refused_in_plain_words_and_given_up(
    crashed: Crashed, start: int | None, end: int | None
) -> None:
    def damage(folder: Path) -> None:
        (folder / WAL).unlink(missing_ok=True)
        data = bytearray((crashed.rounds.ground.folder / DATABASE_FILE).read_bytes())
        if start is None or end is None:
            del data[len(data) // 2 :]
        else:
            data[start:end] = bytes(end - start)
        (folder / DATABASE_FILE).write_bytes(data)

    case = crashed.case("none", damage)
    for _ in range(2):
        with pytest.raises(Unavailable, match="damaged or cut short"):
            Database(f"sqlite:///{case / DATABASE_FILE}")
