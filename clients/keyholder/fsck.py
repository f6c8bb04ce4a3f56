"""Derive everything again from what a key holder stored, and tell all that does not fit.

Rule (AUDIT 3 and 4): as the broker's fsck, and by the same pieces (`broker.translog.stored`): one snapshot, no change
to anything, no repair, since what does not fit is evidence first. In order: the tables, the log from its leaves up,
each record against its leaf, rows against the entries that explain them, series and sealed shares, changes of the log's
key against the keys and the proofs in the folder, and the mark outside it.

It cannot see a whole folder that is old, or was rewritten with the log's own key, together with its mark: witnesses
can, at the next start.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from broker.protocol.errors import NarrowgateError, VerificationFailed
from broker.protocol.messages.base import Message
from broker.protocol.messages.log_keys import LogKeyChain
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog.log import root_at
from broker.translog.stored import Entry, Finding, Progress, check_hashes, quiet, walk
from clients.keyholder import own_log
from clients.keyholder.explained import RowsOfEntries
from clients.keyholder.high_water import HighWater
from clients.keyholder.keys import HolderKeys
from clients.keyholder.log_keys.kept import LogKeysKept
from clients.keyholder.series_kept import SeriesKept
from clients.keyholder.store import whole
from clients.keyholder.store.database import Connection
from clients.keyholder.store.log import SqlLogStorage

RECORD_TYPES: Mapping[RecordKind, type[Message]] = MappingProxyType(
    {
        RecordKind.BUNDLE_ACTIVATED: own_log.BundleActivated,
        RecordKind.SERIES_ACCEPTED: own_log.SeriesAccepted,
        RecordKind.EVALUATED: own_log.Evaluated,
        RecordKind.OPENED: own_log.Evaluated,
        RecordKind.APPROVAL_VOIDED: own_log.ApprovalVoided,
        RecordKind.SHARE_DESTROYED: own_log.ShareDestroyed,
        RecordKind.SHARE_EXPIRED: own_log.ShareExpired,
        RecordKind.RESTORE_ACCEPTED: own_log.LogRestored,
        RecordKind.RECORDS_READ: own_log.RecordsRead,
        RecordKind.CLOCK_WENT_BACK: own_log.ClockWentBack,
        RecordKind.RECORD_ERASED: own_log.RecordErased,
        RecordKind.LOG_KEY_ROTATED: own_log.LogKeyRotated,
    }
)
"""What a key holder records beside each kind of entry it writes."""


def look(
    database: Path,
    keys: HolderKeys,
    mark: HighWater,
    progress: Progress = quiet,
    chain: LogKeyChain | None = None,
) -> Iterator[Finding]:
    """All that is wrong in a key holder's database, with the file of log keys beside it, and with its high-water mark.

    Takes the lock that a service takes. Raises Conflict (it runs) or NotFound (there is no database)."""
    try:
        with whole.snapshot(database) as connection:
            yield from check(connection, keys, progress, chain)
            yield from _check_mark(connection, mark)
    except VerificationFailed as error:
        yield Finding("the database", error.detail)


def check(
    connection: Connection, keys: HolderKeys, progress: Progress = quiet, chain: LogKeyChain | None = None
) -> Iterator[Finding]:
    """All that is wrong in a database and with the file of log keys, in the caller's transaction."""
    missing = whole.differences(connection)
    if missing:
        what = f"has not {', '.join(missing)}, so nothing in it was looked at. Start this release's service once."
        yield Finding("the schema", what)
        return
    storage = SqlLogStorage(connection)
    yield from check_hashes(storage, lambda table: whole.number(connection, table))
    rows, series, log_keys = RowsOfEntries(connection), SeriesKept(connection, keys), LogKeysKept(keys, chain)
    for each in walk(whole.entries(connection), storage.head(), RECORD_TYPES, progress):
        if isinstance(each, Finding):
            yield each
        else:
            yield from rows.see(each)
            yield from _check_permit(connection, each)
            series.see(each)
            yield from log_keys.see(each)
    yield from log_keys.finish()
    yield from rows.finish()
    for stray in whole.strays(connection, "permits_used", "permit_id", "evaluations"):
        yield Finding(
            f"table permits_used, permit_id {stray.hex()[:16]}",
            "it was charged, and nothing was evaluated under it.",
        )
    yield from series.finish(progress)


def _check_permit(connection: Connection, entry: Entry) -> Iterator[Finding]:
    """That the permit of an evaluation is known as used, by the same requester: else it could be used again."""
    if not isinstance(entry.record, own_log.Evaluated):
        return
    said = entry.record
    used = whole.some(connection, "permits_used", permit_id=said.permit_id)
    where = f"table permits_used, permit_id {said.permit_id.hex()[:16]}"
    if not used:
        yield Finding(where, f"is missing, and log entry {entry.index} was answered under it.")
    elif (used[0]["space_id"], used[0]["requester"]) != (said.space_id, said.requester):
        yield Finding(where, f"space_id or requester differ from what log entry {entry.index} says.")


def _check_mark(connection: Connection, mark: HighWater) -> Iterator[Finding]:
    """How far the log came by the file outside the folder; it is read and not raised."""
    where, storage = "the high-water file", SqlLogStorage(connection)
    head = storage.head()
    try:
        marked = mark.found()
        if marked is None:
            if head.size:
                yield Finding(where, f"is gone, and the log has {head.size:,} entries: some may be missing.")
        elif marked.size > head.size:
            what = f"says that the log had {marked.size:,} entries, and it has {head.size:,}: an old copy."
            yield Finding(where, what)
        elif root_at(storage, marked.size) != marked.root:
            what = f"says another root of the first {marked.size:,} entries: the log was rewritten."
            yield Finding(where, what)
    except NarrowgateError as error:
        yield Finding(where, error.detail)
