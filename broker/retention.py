"""Delete what has had its time: records past their series' retention, matched tokens, what is kept of calls.

Rule (LED article 5, UK DPA 2018 s39): a time limit is kept by the machine, not by somebody's remembering. What is due
is selected first; then each deposit goes in one transaction of its own, which deletes its rows and logs that, so that
a crash leaves whole deposits only. Nothing of it was matched since the very second the retention ended, which the
queries of a request see to; this is about the bytes. It runs at start, hourly (`broker.serving`), and on the
operator's call. It withdraws nothing.
"""

from collections.abc import Callable

from broker import statistics
from broker.audit.records import DepositExpired, SeriesExpired
from broker.context import Broker
from broker.protocol.messages.vocabulary import RecordKind
from broker.purged import Purged
from broker.registry import Caller, require_operator
from broker.store import deposits as deposit_rows
from broker.store import retention as rows
from broker.store import series as series_rows

DAY_SECONDS = 86_400


def purge_for(broker: Broker, caller: Caller) -> Purged:
    """Purge now, for the operator. Raises NotPermitted, or as `purge`."""
    require_operator(caller)
    return purge(broker)


def purge(broker: Broker, stopped: Callable[[], bool] = lambda: False) -> Purged:
    """Delete all that is due; `stopped` is asked between transactions and ends it early.

    Raises Unavailable when a step cannot be recorded, or rows linger in the write-ahead log: call it again."""
    now = broker.clock()
    # The rules look back at what matched for as long (L10a).
    days = max(broker.settings.match_days, broker.bundle.limits.target_days)
    with broker.database.read() as connection:
        deposits = rows.expired_deposits(connection, now)
    gone: list[int] = []
    for deposit, retain_until in deposits:
        if not stopped():
            gone += _expire_deposit(broker, deposit, retain_until, now)
    with broker.database.read() as connection:
        due = rows.expired_series(connection, now)
    series = sum(_expire_series(broker, each, now) for each in due if not stopped())
    # The month's rows of who asked are deleted as what may be told of them is published.
    statistics.publish_due(broker)
    with broker.database.write() as connection:
        statistics.forget(broker, connection)
        forgotten = rows.forget(connection, now, now - days * DAY_SECONDS)
    # Always: the purge before this one may have found the log in use.
    broker.database.empty_wal()
    return Purged(
        deposits=len(gone),
        series=series,
        records=sum(gone),
        matches=forgotten.matches,
        counted_sets=forgotten.counted_sets,
        calls=forgotten.calls,
    )


def _expire_deposit(
    broker: Broker, deposit: deposit_rows.StoredDeposit, retain_until: int, now: int
) -> list[int]:
    """The number of records deleted; none when the deposit was withdrawn meanwhile."""
    with broker.database.write() as connection:
        erased = deposit_rows.erase(connection, deposit.deposit_number, "expired")
        if erased is None:
            return []
        record = DepositExpired(
            deposit_id=deposit.deposit_id,
            series_id=deposit.series_id,
            space_id=deposit.space_id,
            contributor=deposit.contributor,
            retain_until=retain_until,
            records_deleted=erased,
        )
        receipt = broker.audit.append(connection, RecordKind.DEPOSIT_EXPIRED, record, now)
        deposit_rows.note_expiry(connection, deposit.deposit_number, receipt.proof.index)
    return [erased]


def _expire_series(broker: Broker, series: series_rows.StoredSeries, now: int) -> int:
    """1, or 0 when the series was withdrawn or expired meanwhile."""
    with broker.database.write() as connection:
        if not series_rows.expire(connection, series.series_id):
            return 0
        record = SeriesExpired(
            series_id=series.series_id,
            space_id=series.space_id,
            contributor=series.contributor,
            retain_until=series.retain_until,
            deposits=deposit_rows.of_series(connection, series.series_id),
        )
        receipt = broker.audit.append(connection, RecordKind.SERIES_EXPIRED, record, now)
        series_rows.note_expiry(connection, series.series_id, receipt.proof.index)
    return 1
