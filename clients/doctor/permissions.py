"""The doctor's look at who may read a folder on this computer.

Rule: it counts and names files of the program's own making, and changes no mode.
"""

import stat
from collections.abc import Iterable
from pathlib import Path

from clients.doctor.finding import Finding, broken, ok


def look_at_permissions(directory: Path) -> Finding:
    """Whether anybody but the owner may read a home: nothing in it is for others."""
    open_to_others = sum(map(_is_open, [directory, *directory.rglob("*")]))
    if open_to_others:
        return broken(
            "permissions",
            f"{open_to_others:,} files or folders of the home can be read by others on this computer.",
            "Run: chmod -R go= on the home folder. Then think of who may have read it.",
        )
    return ok("permissions", "Only you can read the home.")


def look_at_secret_files(directory: Path, names: Iterable[str]) -> Finding:
    """Whether anybody but the owner may open a service's folder, or read these files in it. Missing ones pass."""
    if _is_open(directory):
        return broken(
            "permissions",
            "Others on this computer can open the folder.",
            "Run: chmod 700 on it. Then think of who may have read its keys.",
        )
    readable = [name for name in names if (directory / name).exists() and _is_open(directory / name)]
    if readable:
        return broken(
            "permissions",
            f"Others on this computer can read {', '.join(readable)}, if they ever get into the folder.",
            "Run: chmod 600 on each. Then think of who may have read it.",
        )
    return ok("permissions", "Only the service's own user can open the folder and read its keys.")


def _is_open(path: Path) -> bool:
    return not path.is_symlink() and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
