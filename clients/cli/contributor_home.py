"""A contributor's home as the commands of `deposit` open it: what has had its time is erased first."""

from pathlib import Path

from clients.cli import run
from clients.consent_case import Cases
from clients.consent_status import forget_ended
from clients.home import Home
from clients.home_retention import forget_expired
from clients.kept_out import KeptOut
from clients.series_folder import SeriesFolder, SeriesState, all_series, quarter_of, under_older_salt
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


def say_older_salt(home: Home) -> tuple[SeriesFolder, ...]:
    """Say on standard error which series nobody finds any more, since their space's salt was changed. Returns them."""
    found = under_older_salt(home)
    for series in found:
        manifest = series.manifest.payload
        members = home.space(manifest.space_id).payload.members
        stays = any(member.signing_key == home.identity.signing_key for member in members)
        run.say(
            f"Series {series.series_id.hex()} ({manifest.identifier_type}) is under a salt the space has no more: "
            "requests made since leave it out. "
            + (
                "Deposit its file anew, with --conditions, and then withdraw it."
                if stays
                else "You are no member of the space any more: withdraw it."
            )
        )
    return found


def say_earlier_quarters(home: Home, now: int) -> None:
    """Say on standard error which series of earlier quarters still have their keys here."""
    for series in all_series(home):
        if series.state is SeriesState.OPEN and series.quarter != quarter_of(now):
            run.say(
                f"Series {series.series_id.hex()} of {series.quarter} goes on serving, and its keys are still here. "
                "Once you need not correct it any more, erase them: narrowgate deposit close"
            )
