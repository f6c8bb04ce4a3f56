"""What a contributor's home forgets by itself: keys, lists and references of series whose retention is over.

Rule: a time limit is kept by the machine (as `broker.retention` does at the broker). The commands of `deposit` call it
before anything else; nothing is sent. Manifests, declarations and statements stay, which name nobody.
"""

from clients.depositing import masking_runs
from clients.depositing.deposit_folder import all_deposits
from clients.depositing.series_folder import SeriesState, all_series
from clients.home import Home


def forget_expired(home: Home, now: int) -> tuple[bytes, ...]:
    """Erase k of each series past its retention, and of its deposits all that names a record. Returns the series' ids.

    Again, it finds nothing more."""
    gone = []
    for series in all_series(home):
        over = series.manifest.payload.conditions.retain_until <= now
        if not over or series.state in (SeriesState.WITHDRAWN, SeriesState.EXPIRED):
            continue
        series.erase_keys()
        masking_runs.erase_unfinished(home, series.series_id)
        for deposit in all_deposits(home, series.series_id):
            if deposit.entry.stage in ("masked", "serving"):
                deposit.move_to("expired", now)
        # Last: a series is done with once this is noted.
        series.move_to(SeriesState.EXPIRED, now)
        gone.append(series.series_id)
    return tuple(gone)
