"""The broker's folder: its files, who may read them, and that they belong together.

Rule: a key that others on the machine may read is no secret any more. The folder's settings name the operator's key and
the log; keys that are not theirs are another broker's. It opens no database and changes no mode.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from broker import folder
from broker.gate import bundle as bundles
from broker.gate.officers import PinnedOfficers
from broker.gate.shelf import SHELF_FOLDER
from broker.protocol.documents import public_bytes
from broker.protocol.errors import NarrowgateError
from broker.recovery.findings import Finding
from broker.settings import Settings


def check(directory: Path, settings: Settings) -> Iterator[Finding]:
    """The operator's key, officers and shelf; the broker's own keys are checked where they are read."""
    if os.stat(directory).st_mode & 0o077:
        yield Finding("the broker's folder", "others on this machine may open it. Set its mode to 0700.")
    operator = directory / folder.OPERATOR_FILE  # better kept by the operator, so it may be gone
    if operator.exists() and operator.stat().st_mode & 0o077:
        yield Finding(
            f"file {folder.OPERATOR_FILE}",
            "others on this machine may read it. Set its mode to 0600, and change the key.",
        )
    if (directory / folder.OPERATOR_FILE).exists():
        yield from _operator(directory, settings)
    try:
        PinnedOfficers(directory).all()
    except NarrowgateError as error:
        yield Finding("folder officers", error.detail)
    shelf = directory / SHELF_FOLDER
    for kept in sorted(shelf.iterdir()) if shelf.is_dir() else ():
        if kept.name.startswith("."):
            continue  # cut short while it was copied; never used
        try:
            if bundles.load(kept).digest.hex() != kept.name:
                yield Finding(f"folder {SHELF_FOLDER}", "a copy of rules was changed. Put a true copy back.")
        except NarrowgateError:
            yield Finding(f"folder {SHELF_FOLDER}", "a copy of rules cannot be read. Put a true copy back.")


def _operator(directory: Path, settings: Settings) -> Iterator[Finding]:
    try:
        key = public_bytes(folder.read_operator_key(directory))
    except NarrowgateError:
        return  # told of already, or when it is used
    if key.hex() != settings.operator_key:
        yield Finding(f"file {folder.OPERATOR_FILE}", "is not the key that settings.toml names.")
