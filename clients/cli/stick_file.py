"""Files on a stick, which somebody else may have prepared.

Rule: a file is written beside its name, made durable and then put in its place, so that a link lying there is replaced
and never followed, and a stick pulled out too early holds a whole file or none. A file is read up to the largest that a
bundle can be, and no further.

It looks into no file.
"""

import os
from contextlib import suppress
from pathlib import Path

from broker.protocol import carried
from broker.protocol.errors import BadInput
from clients.cli import run
from clients.vault import sync_folder


def read_file(path: Path) -> bytes:
    """The bytes of a bundle, or of an enrolment. Raises BadInput."""
    data = run.read_input(path, "the bundle", carried.MAXIMUM_FILE_BYTES + 1)
    if len(data) > carried.MAXIMUM_FILE_BYTES:
        raise BadInput("This file is larger than any carried bundle. Check that it is the right one.")
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write a file that the person named, in place of what lies there. Raises BadInput."""
    beside = path.with_name(f".{path.name}.{run.random_bytes(8).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Windows has no links to refuse here, nor the flag.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(beside, flags, 0o644), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
        with suppress(OSError):  # not every stick's file system offers it
            sync_folder(path.parent)
    except OSError as error:
        reason = (error.strerror or "unknown fault").lower()
        raise BadInput(f"The bundle's file cannot be written: {reason}. Choose another place.") from None
