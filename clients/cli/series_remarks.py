"""Remarks on series that need a person: under a salt the space has no more, or of an earlier quarter.

They go to standard error, beside what a command answers.
"""

from collections.abc import Collection

from clients.cli import run
from clients.depositing.series_folder import (
    SeriesFolder,
    SeriesState,
    all_series,
    quarter_of,
    under_older_salt,
)
from clients.home import Home


def say_older_salt(home: Home) -> tuple[SeriesFolder, ...]:
    """Say on standard error which series nobody finds any more, since their space's salt was changed. Returns them."""
    found = under_older_salt(home)
    for series in found:
        manifest = series.manifest.payload
        members = series.space.members
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


def say_earlier_quarters(home: Home, now: int, but: Collection[bytes] = ()) -> None:
    """Say on standard error which series of earlier quarters still have their keys here, but for some."""
    for series in all_series(home):
        earlier = series.state is SeriesState.OPEN and series.quarter != quarter_of(now)
        if earlier and series.series_id not in but:
            run.say(
                f"Series {series.series_id.hex()} of {series.quarter} goes on serving, and its keys are still here. "
                "Once you need not correct it any more, erase them: narrowgate deposit close"
            )
