"""What waits for somebody's answer, as far as a home knows: releases asked for, and retractions.

Rule: it asks no service, because to be shown an ask or a notice is logged; so it says how what is new is fetched. It
says how many, and never which.
"""

from collections.abc import Iterator

from broker.protocol.errors import NarrowgateError
from clients.depositing.deposit_folder import KeptAsk, all_deposits
from clients.doctor.finding import Finding, broken, look, ok
from clients.home import Home


def look_at_releases(home: Home, now: int) -> Iterator[Finding]:
    """What this contributor was asked to release, and has not answered."""
    serving = [item for item in all_deposits(home) if item.entry.stage == "serving"]
    if not serving:
        return
    try:
        waiting = [each for item in serving for each in item.asks() if not _answered(home, each)]
    except NarrowgateError:
        yield broken(
            "releases",
            "What was kept of releases that were asked for is damaged.",
            "Restore the home from a backup. Then run: narrowgate release list",
        )
        return
    open_still = [each.until_at for each in waiting if each.until_at >= now]
    if open_still:
        days = (min(open_still) - now) // 86_400
        yield look(
            "releases",
            f"{len(open_still):,} releases wait for your answer, one of them not longer than {days:,} days: "
            "silence refuses.",
            "Run: narrowgate release list",
        )
    else:
        yield ok(
            "releases",
            "None that this home knows of waits for your answer. What is new: narrowgate release list",
        )


def _answered(home: Home, ask: KeptAsk) -> bool:
    return home.vault.exists(f"releases/{ask.permit_id.hex()}/{ask.series_id.hex()}.jws")


def look_at_retractions(home: Home) -> Iterator[Finding]:
    """Notices that matches were taken back, of which the broker was not told what was done."""
    names = set(home.vault.names("retractions"))
    notices = {name.removesuffix(".jws") for name in names if name.endswith(".jws")}
    notices = {name for name in notices if not name.endswith("-done")}
    waiting = {name for name in notices if f"{name}-done.jws" not in names}
    broke_off = sum(f"{name}-sending" in names for name in waiting)
    if broke_off:
        yield look(
            "retractions",
            f"Of {broke_off:,} retractions you said what you did, and the broker was not told.",
            "Run once more: narrowgate request acknowledge",
        )
    if len(waiting) > broke_off:
        yield look(
            "retractions",
            f"{len(waiting) - broke_off:,} retractions of matches wait for you to act.",
            "Run: narrowgate request retractions, then acknowledge",
        )
    elif notices and not broke_off:
        yield ok(
            "retractions", "None that this home knows of waits. What is new: narrowgate request retractions"
        )
