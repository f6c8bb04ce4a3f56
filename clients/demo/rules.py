"""Who puts rules in force in the demo: two officers sign a copy of them; broker and key holders each activate it.

Rule: an operator pins the officers' files, and activates the folder that it was handed, by its own commands.
"""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clients.demo.processes import Processes

OFFICERS = ("data-protection-officer", "chief-legal-officer")
"""The names of their folders; their offices are the same in words."""


def make_signed(processes: Processes, policies: Path, signed: Path, officers: Sequence[Path]) -> None:
    """Officers make their keys, and sign a copy of the project's rules, valid since yesterday."""
    shutil.copytree(policies, signed)
    make_officers(processes, officers)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    for officer in officers:
        sign(processes, officer, signed, yesterday.isoformat(), "The first rules of the demo")


def make_officers(processes: Processes, officers: Sequence[Path]) -> None:
    """Each makes its key in its folder."""
    for officer in officers:
        office = officer.name.replace("-", " ")
        names = ("--id", officer.name, "--name", office.capitalize(), "--office", office)
        processes.run(officer.name, ("policy", "officer", officer, *names))


def sign(
    processes: Processes,
    officer: Path,
    rules: Path,
    valid_from: str,
    changes: str,
    replaces: Path | None = None,
) -> None:
    """An officer signs the rules in a folder."""
    before = () if replaces is None else ("--replaces", replaces)
    what = ("--bundle", rules, "--valid-from", valid_from, "--changes", changes, *before)
    processes.run(officer.name, ("policy", "sign", officer, *what))


def activate(
    processes: Processes,
    service: str,
    role: str,
    home: Path,
    rules: Path,
    officers: Sequence[Path],
    trial: Sequence[str] = (),
) -> None:
    """An operator pins these officers and activates rules; `service` is broker or keyholder."""
    files = [item for officer in officers for item in ("--pin", officer / "officer.jws")]
    processes.run(role, (service, "officer", home, *files))
    processes.run(role, (service, "activate", home, "--bundle", rules, *trial))
