"""Names and contents that are on the disk when the call returns: fsync of a file or folder (fsync(2)).

Rule: a rename or a new name lasts once its folder was synced, not before. It writes nothing.
"""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
