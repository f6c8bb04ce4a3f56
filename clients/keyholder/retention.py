"""Erase the shares of series whose retention is over, and what else has had its time.

Rule (DESIGN 2.2; LED article 5): the signed manifest says until when; then the shares go without anybody's word. Each
series goes in one transaction with its log entry, and the write-ahead log is emptied after. From that second on the
checks of an evaluation refuse the series anyway; this is about the bytes. The manifest stays, so that the series
cannot come again. A contributor may still withdraw it, and is given a receipt.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from broker.protocol.messages.vocabulary import RecordKind
from broker.translog.regularly import Regularly
from clients.keyholder.context import KeyHolder
from clients.keyholder.held import stored_manifest
from clients.keyholder.own_log import ShareExpired
from clients.keyholder.store import calls
from clients.keyholder.store import series as rows
from clients.keyholder.witnesses import tell_failed

PURGE_SECONDS = 3600
LOGGER = logging.getLogger("narrowgate.keyholder")


@dataclass(frozen=True)
class Purged:
    """How much had its time and is gone: series whose shares were erased; nonces and idempotency keys."""

    series: int
    calls: int


def due(stored: tuple[rows.StoredSeries, ...], now: int) -> tuple[tuple[rows.StoredSeries, int], ...]:
    """Those of the series whose retention is over at `now`, each with that time.

    Raises VerificationFailed if a stored manifest was changed."""
    ends = ((each, stored_manifest(each).payload.conditions.retain_until) for each in stored)
    return tuple((each, retain_until) for each, retain_until in ends if retain_until <= now)


def purge(holder: KeyHolder, stopped: Callable[[], bool] = lambda: False) -> Purged:
    """Erase all that is due; `stopped` is asked between transactions and ends it early.

    Raises VerificationFailed, or Unavailable when a step cannot be recorded or rows linger: call it again."""
    now = holder.clock()
    with holder.database.read() as connection:
        stored = rows.with_shares(connection)
    expired = sum(_expire(holder, each, end, now) for each, end in due(stored, now) if not stopped())
    with holder.database.write() as connection:
        rows.destroy_expired_prekeys(connection, now)
        forgotten = calls.forget(connection, now)
    # Always: the purge before this one may have found the log in use.
    holder.database.empty_wal()
    return Purged(expired, forgotten)


def _expire(holder: KeyHolder, stored: rows.StoredSeries, retain_until: int, now: int) -> int:
    """1, or 0 when the shares were erased meanwhile."""
    with holder.database.write() as connection:
        if not rows.expire_shares(connection, stored.series_id):
            return 0
        record = ShareExpired(series_id=stored.series_id, x=stored.x, retain_until=retain_until)
        holder.log.append(connection, RecordKind.SHARE_EXPIRED, record, now)
    return 1


class HourlyPurge(Regularly):
    """Purges at start, and again after each interval, until `stop`."""

    def __init__(self, holder: KeyHolder, seconds: float = PURGE_SECONDS) -> None:
        def step(stopped: Callable[[], bool]) -> None:
            purged = purge(holder, stopped)
            LOGGER.info("purge: the shares of %d series erased", purged.series)

        super().__init__("purge", step, seconds, at_once=True, failed=tell_failed)
