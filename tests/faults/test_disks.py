"""A disk that fails or fills up under four callers: injected with strace, and a real full file system.

The order of syncs and answers is test_durability's. Here every call after a fault that was not answered must be taken
once or not at all, and what was answered must stand once the disk is well and the broker is started again.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.folder import DATABASE_FILE
from tests import tracing
from tests.faults.ground import Ground
from tests.faults.rounds import Rounds
from tests.faults.writer import Refused

pytestmark = pytest.mark.all_only

SYNCS, WRITES = "fsync,fdatasync", "write,pwrite64"
ROUNDS = 3
ROOM_BYTES = 2 * 1024 * 1024
"""What is free on the full disk, beside the database, before the first call."""


@pytest.fixture(scope="module", autouse=True)
def strace() -> None:
    """strace is there, or is installed where that is allowed."""
    tracing.install()


@pytest.mark.parametrize("how", ["once", "from then on"])
@pytest.mark.parametrize(
    ("calls", "error"), [(SYNCS, "EIO"), (SYNCS, "ENOSPC"), (WRITES, "EIO"), (WRITES, "ENOSPC")]
)
def test_a_disk_that_fails_loses_and_doubles_nothing(
    ground: Ground, folder: Path, tmp_path: Path, calls: str, error: str, how: str
) -> None:
    rounds = Rounds(ground, folder, f"{error} on {calls.replace(',', ' and ')} {how}", seed=len(calls))
    failed = 0
    for number in range(ROUNDS):
        trace, at = tmp_path / f"trace-{number}", rounds.chance.randint(1, 20)
        when = f"{at}" if how == "once" else f"{at}+"
        # Only the database's own files: a thread's wake-up call or a line of the log is no disk.
        paths = [f"{folder / DATABASE_FILE}{end}" for end in ("", "-wal")]
        options = [
            *(part for path in paths for part in ("-P", path)),
            *("-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when={when}"),
        ]
        with tracing.attached(rounds.writer.pid, trace, *options):
            rounds.call(seconds=1.5)
        failed += "INJECTED" in trace.read_text()
        rounds.restart()
    assert failed, "at least one call failed"
    rounds.end()


@contextmanager
def disk_in_memory(at: Path) -> Iterator[Path]:
    """A file system of its own. Mounting it is root's."""
    at.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700", "narrowgate-faults", str(at)], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def leave(disk: Path, room_bytes: int) -> None:
    """Let there be so much room on the disk, beside what is on it now."""
    found = os.statvfs(disk)
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    subprocess.run(["mount", "-o", f"remount,size={used + room_bytes}", str(disk)], check=True)


def test_a_full_disk_loses_and_doubles_nothing(ground: Ground, tmp_path: Path) -> None:
    with disk_in_memory(tmp_path / "disk") as disk:
        rounds = Rounds(ground, ground.copy(disk / "broker"), "disk full (2 MB left, tmpfs)", seed=3)
        try:
            for _ in range(2):
                leave(disk, ROOM_BYTES)
                rounds.call(seconds=25)
                assert os.statvfs(disk).f_bavail < 16, "the disk is full"
                assert rounds.call(seconds=5) == 0, "nothing is acknowledged any more"
                rounds.writer.kill()
                try:
                    # On a full disk it starts and serves what is there, or it does not start.
                    rounds.writer = rounds.start()
                except Refused:
                    rounds.row.refused += 1
                leave(disk, 8 * ROOM_BYTES)
                rounds.restart()
        finally:
            rounds.end()
