"""A folder of the home for what a command spills to disk while it works, and for one command at a time.

Rule: it is empty when a command begins and when it ends. What a process that was killed left behind is removed at the
next start; it is sealed under a key that died with that process (`clients.readers.grouping`). The lock is the
kernel's, so it goes with the process that holds it.

    working/{lock,spilled/...}
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from broker.protocol.errors import Conflict
from clients.home import Home

_LOCK = "working/lock"
_SPILLED = "working/spilled"


@contextlib.contextmanager
def working_folder(home: Home) -> Iterator[Path]:
    """An empty folder of mode 0700 that is removed in the end. Raises Conflict while another command has it."""
    with _locked(home) as held:
        if not held:
            raise Conflict("Another deposit is being made from this home. Wait until it is done.")
        folder = home.vault.path(_SPILLED)
        _remove(folder)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            _remove(folder)


def sweep(home: Home) -> None:
    """Remove what a command that was killed left behind. Nothing happens while one is working."""
    if home.vault.exists(_SPILLED):
        with _locked(home) as held:
            if held:
                _remove(home.vault.path(_SPILLED))


@contextlib.contextmanager
def _locked(home: Home) -> Iterator[bool]:
    path = home.vault.path(_LOCK)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
