"""A case folder on disk: written whole or not at all, read without following anything out of it.

Rule: a folder has mode 0700, a file 0600; the folder is written beside its place, fsynced and renamed, and one that is
there is never touched. What is read may come from anybody: links, devices and too much of anything are refused.

It knows no paper: see `clients.case_file.layout`.
"""

import os
import shutil
import stat
from pathlib import Path

from broker.protocol.errors import BadInput, Conflict
from broker.protocol.messages.base import RandomBytes
from clients.case_file.layout import CUSTODY, Files
from clients.case_file.papers import MAXIMUM_FILES
from clients.vault import sync_folder

MAXIMUM_BYTES = 512 * 1024 * 1024
_NOT_READ = "The case folder cannot be read: {}. Check its name, and that it was copied whole."


def write_folder(folder: Path, files: Files, random_bytes: RandomBytes) -> None:
    """Write a new case folder. Raises Conflict if something of that name is there, BadInput if it cannot be written."""
    if os.path.lexists(folder):
        raise Conflict("There is something of that name already. Name a folder that does not exist yet.")
    beside = folder.with_name(f".{folder.name}.{random_bytes(4).hex()}")
    try:
        beside.mkdir(mode=0o700)
        try:
            for name, content in sorted(files.items()):
                _write(beside / name, content)
            for inner, _, _ in os.walk(beside):
                sync_folder(Path(inner))
            beside.rename(folder)
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        reason = (error.strerror or "unknown fault").lower()
        raise BadInput(f"The case folder cannot be written: {reason}. Choose another place.") from None


def add_hand_over(folder: Path, number: int, document: str, random_bytes: RandomBytes) -> Path:
    """Add a signed hand-over under its number. Returns its file. Raises Conflict if the number is taken, BadInput."""
    custody = folder / CUSTODY
    place, beside = custody / f"{number}.jws", custody / f".{number}.{random_bytes(4).hex()}"
    try:
        custody.mkdir(mode=0o700, exist_ok=True)
        try:
            _write(beside, document.encode("ascii"))
            # A link, and no rename: of two people who hand over at once, one is told.
            os.link(beside, place)
        finally:
            beside.unlink(missing_ok=True)
        sync_folder(custody)
        sync_folder(folder)
    except FileExistsError:
        raise Conflict("Somebody handed the folder over meanwhile. Verify it again.") from None
    except OSError as error:
        reason = (error.strerror or "unknown fault").lower()
        raise BadInput(f"The hand-over cannot be written: {reason}. Check the folder's owner.") from None
    return place


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file of a case folder by its path inside. Raises BadInput for what no case folder has."""
    files: dict[str, bytes] = {}
    left = MAXIMUM_BYTES
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise BadInput(_NOT_READ.format("it is no folder"))
        pending = [(folder, "")]
        while pending:
            inner, prefix = pending.pop()
            for entry in sorted(os.scandir(inner), key=lambda each: each.name):
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False) and name.count("/") < 4:
                    pending.append((Path(entry.path), f"{name}/"))
                    continue
                size = entry.stat(follow_symlinks=False).st_size
                if not entry.is_file(follow_symlinks=False) or size > left or len(files) > MAXIMUM_FILES:
                    raise BadInput(_NOT_READ.format("it holds a link, or more than any case folder does"))
                files[name] = Path(entry.path).read_bytes()
                left -= size
    except OSError as error:
        raise BadInput(_NOT_READ.format((error.strerror or "unknown fault").lower())) from None
    return files


def _write(path: Path, content: bytes) -> None:
    for missing in reversed([each for each in path.parents if not each.exists()]):
        missing.mkdir(mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
