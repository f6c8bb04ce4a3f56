"""`narrowgate deposit statistics`: how often your series were asked, on what grounds, and what came of it."""

from collections.abc import Iterator

from broker.protocol.messages.outcomes import SeriesMonth, Statistics
from clients.cli import run
from clients.statistics import read_statistics

_HEADINGS = ("verdicts", "tiers", "rules", "instruments", "purposes", "offences", "outcomes")


def statistics(directory: run.HomeFolder, space_id: run.SpaceId = None, as_json: run.Json = False) -> None:
    """Show how often your series were asked in each month, on what grounds, and what requesters reported.

    Never who asked, or about whom. Months are published some days after their end. Small numbers are not told; others
    are approximate: some noise was added, then they were rounded down.
    """
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    told = read_statistics(home, space, run.caller(home))
    run.show(told, "\n".join(_words(told)), as_json=as_json)


def _words(told: Statistics) -> Iterator[str]:
    if not told.months:
        yield "No month is published yet."
    for month in told.months:
        about = (
            f"fewer than {told.least} times, or by too few agencies"
            if month.asked is None
            else f"about {month.asked} times"
        )
        yield f"{month.month}  {month.series_id.hex()}  asked {about}"
        yield from _lines(month)


def _lines(month: SeriesMonth) -> Iterator[str]:
    for heading in _HEADINGS:
        for cell in getattr(month, heading):
            law = f" ({cell.law})" if cell.law else ""
            yield f"  {heading}: {cell.name} about {cell.requests}{law}"
