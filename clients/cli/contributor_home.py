"""A contributor's home as the commands of `deposit` open it: what has had its time is erased first."""

from pathlib import Path

from clients.cli import run
from clients.deposit_changes.kept_out import KeptOut
from clients.home import Home
from clients.home_retention import forget_expired
from clients.persons.consent_case import Cases
from clients.persons.consent_status import forget_ended
from clients.working_folder import sweep


def open_contributor_home(directory: Path) -> Home:
    """Open the home folder, and erase what a killed command left, and keys and lists of series past their retention.

    Errors as `run.open_home`."""
    home = run.open_home(directory)
    sweep(home)
    KeptOut(home, run.clock(), run.random_bytes).forget_past()
    for series_id in forget_expired(home, run.clock()):
        run.say(
            f"The retention of series {series_id.hex()} is over: its keys and local references are erased here."
        )
    if forget_ended(home, Cases(home, run.clock(), run.random_bytes), run.clock()):
        run.say("Cases of people with nothing left here, unused for a year, are erased.")
    return home
