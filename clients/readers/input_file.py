"""The file that a person names: opened once, and the same when it was read to its end as when it was opened.

Rule: only an ordinary file is read, by its own name or through a link. A pipe or a device has no end to rely on and
cannot be read a second time, so it is refused before anything is read from it. A file that somebody writes to
meanwhile is refused at its end, whatever was read of it: the readers' users act only once a file was read whole.

It notices a change by size, time of change and identity (stat), and so no rewriting of equal length that sets the time
back.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from broker.protocol.errors import BadInput
from clients.readers.spreadsheets.old_excel import check_not_old


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read from. Raises BadInput if it cannot be read, is of the old Excel or has a password, or, at the end,
    if it was changed meanwhile."""
    try:
        # Not blocking: to open a pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=1 << 16) as file:
            before = _identity(os.fstat(file.fileno()))
            check_not_old(file)
            yield file
            if _identity(os.fstat(file.fileno())) != before or _identity(path.stat()) != before:
                raise BadInput(
                    "The file was changed while it was read, so nothing of it was used. Wait until the program that "
                    "writes it has finished, or read a copy of it."
                )
    except OSError as error:
        raise BadInput(f"The file cannot be read: {(error.strerror or 'unknown fault').lower()}.") from None


def _identity(found: os.stat_result) -> tuple[int, ...]:
    if stat.S_ISDIR(found.st_mode):
        raise BadInput("The file cannot be read: is a directory. Name a file in it.")
    if not stat.S_ISREG(found.st_mode):
        raise BadInput(
            "This is not an ordinary file but a pipe or a device. Save what comes out of it as a file and read that."
        )
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
