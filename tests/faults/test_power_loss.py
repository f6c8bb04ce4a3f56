"""The power fails right after an answer: what was synced by then is all there is, and the answered entry is in it.

Four callers at once, so that one sync may be for several steps. strace notes each write and each sync of the
write-ahead log and holds each sync's return back; for each answer the log is cut to what was written before the newest
sync that had returned by then, and the broker starts on that. One caller at a time:
tests/integration/test_durability.py.
"""

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker import folder as broker_folder
from broker import startup
from broker.folder import DATABASE_FILE
from broker.gate.shelf import BundleShelf
from tests import tracing
from tests.faults.books import Books
from tests.faults.ground import Ground
from tests.faults.rounds import Rounds
from tests.faults.table import Row

pytestmark = pytest.mark.all_only

WAL = f"{DATABASE_FILE}-wal"
HELD_BACK_MICROSECONDS = 30_000
LINE = re.compile(r"^(?P<thread>\d+) +(?P<at>[0-9.]+) (?P<call>.*)$")
WRITE = re.compile(r"^pwrite64\(\d+<[^>]*-wal>.*, (?P<size>\d+), (?P<offset>\d+)(\)| <unf)")
ENTRIES = 12
"""So few that the write-ahead log is not begun anew."""


@dataclass(frozen=True)
class Durable:
    """From that moment on so many bytes of the write-ahead log were on the disk."""

    since: float
    size_bytes: int


def durable(lines: Iterable[str]) -> list[Durable]:
    """What each sync that returned made durable, in order: bytes whose write was called before the sync was.

    Raises AssertionError when the log was begun anew, where a length says nothing."""
    written, begun, found = 0, dict[str, int](), list[Durable]()
    for line in lines:
        read = LINE.match(line)
        if read is None:
            continue
        call, thread = read["call"], read["thread"]
        if write := WRITE.match(call):
            assert int(write["offset"]) > 0 or written == 0, "the write-ahead log was begun anew"
            written = max(written, int(write["offset"]) + int(write["size"]))
        if re.match(r"f(data)?sync\(\d+<[^>]*-wal>", call):
            begun[thread] = written
        if thread in begun and re.search(r"sync.*= 0( \(INJECTED\)| \(DELAYED\)|$)", call):
            found.append(Durable(float(read["at"]), begun.pop(thread)))
    return found


def test_after_a_power_loss_each_answered_entry_is_there(
    ground: Ground, folder: Path, tmp_path: Path
) -> None:
    tracing.install()
    row = Row("power lost right after an answer, four callers")
    rounds = Rounds(ground, folder, "traced", seed=81)
    options = (
        *("-ttt", "-s", "0", "-e", "trace=pwrite64,fsync,fdatasync"),
        *("-e", f"inject=fsync,fdatasync:delay_exit={HELD_BACK_MICROSECONDS}"),
    )
    shutil.copytree(folder, tmp_path / "before")
    with tracing.attached(rounds.writer.pid, tmp_path / "trace", *options):
        rounds.call(seconds=0, least=ENTRIES)
    rounds.writer.kill()
    whole = (folder / WAL).read_bytes()
    synced = durable((tmp_path / "trace").read_text(errors="replace").splitlines())
    for name, told_at in rounds.oracle.told_at.items():
        entry = rounds.oracle.acknowledged[name]
        size = max((each.size_bytes for each in synced if each.since <= told_at), default=0)
        row.rounds += 1
        row.acknowledged += 1
        row.lost += entry not in started_on(tmp_path, whole[:size], ground.now).leaves()
    row.keep()
    assert row.lost == 0
    assert started_on(tmp_path, b"", ground.now).leaves() != rounds.books.leaves(), (
        "what is not synced is gone"
    )


def started_on(root: Path, log: bytes, now: int) -> Books:
    """What the broker's own start finds with that much of the write-ahead log."""
    case = root / "case"
    shutil.rmtree(case, ignore_errors=True)
    shutil.copytree(root / "before", case)
    for name in (WAL, f"{DATABASE_FILE}-shm"):
        (case / name).unlink(missing_ok=True)
    (case / WAL).write_bytes(log)
    settings = broker_folder.read_settings(case, trial=True)
    keys, shelf = broker_folder.read_keys(case), BundleShelf(case)
    startup.stop(startup.start(settings, keys, shelf, lambda: now, os.urandom))
    return Books(f"sqlite:///{case / DATABASE_FILE}")


def test_a_trace_tells_what_was_synced_and_when() -> None:
    lines = [
        '7 1.0 pwrite64(9</b-wal>, ""..., 32, 0) = 32',
        '7 2.0 pwrite64(9</b-wal>, ""..., 4096, 56 <unfinished ...>',
        "8 2.5 fdatasync(4</b>) = 0",
        "7 3.0 fdatasync(9</b-wal> <unfinished ...>",
        '8 3.5 pwrite64(9</b-wal>, ""..., 24, 4152) = 24',
        "7 4.0 <... fdatasync resumed>)           = 0 (DELAYED)",
    ]
    assert durable(lines) == [Durable(4.0, 4152)]
    assert durable(lines[:-1]) == []
