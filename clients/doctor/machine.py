"""The doctor's look at this computer: Python, the program, libsodium, optional parts, room on the disk.

It reads no folder and makes no call.
"""

import importlib.metadata
import importlib.util
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from broker.protocol.errors import Unavailable
from clients.doctor.finding import Finding, broken, look, ok

LEAST_PYTHON = (3, 11)
LITTLE_BYTES, HARDLY_BYTES = 2_000_000_000, 100_000_000
PARTS: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "data": (("openpyxl", "pyarrow", "stix2", "pymisp"), "Excel, Parquet, STIX and MISP files"),
        "policy": (("cedarpy",), "the rules: audit replay, policy"),
        "audit": (("opendp",), "reports with noise"),
    }
)
"""Extras by name: what they bring, and what for."""


def look_at_machine(directory: Path) -> Iterator[Finding]:
    """What this computer has; `directory` says which disk."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < LEAST_PYTHON:
        yield broken("Python", f"Python {version} is too old.", "Install Python 3.11 or newer.")
    else:
        yield ok("Python", f"Python {version}.")
    yield ok("program", f"narrowgate {importlib.metadata.version('narrowgate')}.")
    yield _sodium()
    for extra, (modules, purpose) in PARTS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            yield look(
                f"part {extra}",
                f"Not installed: it is for {purpose}.",
                f"If needed: install narrowgate[{extra}].",
            )
        else:
            yield ok(f"part {extra}", f"Installed: {purpose}.")
    yield _disk(directory)


def _sodium() -> Finding:
    try:
        from broker.protocol import libsodium  # loading it is the check

        return ok(
            "libsodium",
            f"Found {libsodium.__name__.rpartition('.')[2]}, and it gives the standard's results.",
        )
    except Unavailable as error:
        return broken(
            "libsodium", "The library that does the arithmetic is missing or unsound.", error.detail
        )


def _disk(directory: Path) -> Finding:
    free = shutil.disk_usage(directory).free
    words = f"{free / 1e9:,.1f} GB are free where the folder lies."
    if free < HARDLY_BYTES:
        return broken("disk", words, "Make room: nothing can be written safely.")
    if free < LITTLE_BYTES:
        return look("disk", words, "Make room before a large deposit or a mirror of the log.")
    return ok("disk", words)
