"""The broker's log against itself, and each entry opened once for the checks that follow.

Rule (AUDIT 1 and 4): as `broker.translog.stored` has it, for the records that a broker writes. It knows no other table.
"""

from collections.abc import Iterator

from broker.audit import records
from broker.protocol.messages.base import Message
from broker.protocol.messages.closings import Failed, Released
from broker.protocol.messages.requests import AdmissionRecord, ReleaseDecided
from broker.protocol.messages.vocabulary import RecordKind
from broker.store import whole
from broker.store.database import Connection
from broker.store.log import SqlLogStorage
from broker.translog import stored
from broker.translog.storage import Head
from broker.translog.stored import Entry, Finding

__all__ = ["RECORD_TYPES", "Entry", "check_hashes", "read_entry", "walk"]

RECORD_TYPES: dict[RecordKind, type[Message]] = {
    RecordKind.ENROLMENT_ACCEPTED: records.EnrolmentAccepted,
    RecordKind.SPACE_FOUNDED: records.SpaceFounded,
    RecordKind.BUNDLE_ACTIVATED: records.BundleActivated,
    RecordKind.SERIES_OPENED: records.SeriesOpened,
    RecordKind.SERIES_WITHDRAWN: records.SeriesWithdrawn,
    RecordKind.SERIES_DESTROYED: records.SeriesDestroyed,
    RecordKind.SERIES_EXPIRED: records.SeriesExpired,
    RecordKind.DEPOSIT_ADMITTED: records.DepositDecided,
    RecordKind.DEPOSIT_REFUSED: records.DepositDecided,
    RecordKind.DEPOSIT_COMPLETED: records.DepositCompleted,
    RecordKind.DEPOSIT_SERVING: records.DepositServing,
    RecordKind.DEPOSIT_WITHDRAWN: records.DepositWithdrawn,
    RecordKind.DEPOSIT_EXPIRED: records.DepositExpired,
    RecordKind.RECORDS_WITHDRAWN: records.RecordsWithdrawn,
    RecordKind.RECORDS_REPLACED: records.RecordsReplaced,
    RecordKind.ADMITTED: AdmissionRecord,
    RecordKind.REFUSED: records.RequestRefused,
    RecordKind.TOKENS: records.TokensReceived,
    RecordKind.RELEASE_ASKED: records.ReleaseAsked,
    RecordKind.RELEASE_SHOWN: records.ReleaseShown,
    RecordKind.RELEASE_ANSWERED: records.ReleaseAnswered,
    RecordKind.APPROVAL_REFUSED: records.ApproverStated,
    RecordKind.APPROVAL_WITHDRAWN: records.ApproverStated,
    RecordKind.EMERGENCY_REVIEWED: records.ApproverStated,
    RecordKind.RELEASE: ReleaseDecided,
    RecordKind.RELEASED: Released,
    RecordKind.FAILED: Failed,
    RecordKind.OUTCOME_REPORTED: records.OutcomeReported,
    RecordKind.CONTEST_STATED: records.ContestStated,
    RecordKind.RETRACTION_NOTICED: records.RetractionNoticed,
    RecordKind.RETRACTION_SHOWN: records.RetractionShown,
    RecordKind.RETRACTION_ACKNOWLEDGED: records.RetractionAcknowledged,
    RecordKind.RECORDS_READ: records.RecordsRead,
    RecordKind.RECORD_ERASED: records.RecordErased,
    RecordKind.DISCLOSURE_READ: records.DisclosureRead,
    RecordKind.CLOCK_WENT_BACK: records.ClockWentBack,
    RecordKind.LOG_KEY_ROTATED: records.LogKeyRotated,
}
"""What a broker records beside each kind of entry it writes."""


def check_hashes(connection: Connection) -> Iterator[Finding]:
    """Leaves, nodes and head, derived again; and that there are no more of them than the head says."""
    return stored.check_hashes(SqlLogStorage(connection), lambda table: whole.number(connection, table))


def read_entry(row: whole.Row) -> Entry:
    """Open an entry: its leaf, and the record by its salt.

    Raises VerificationFailed or BadInput, saying what does not fit."""
    return stored.open_entry(_stored(row), RECORD_TYPES)


def walk(connection: Connection, head: Head, progress: stored.Progress) -> Iterator[Entry | Finding]:
    """Every entry in order, or what is wrong with it."""
    return stored.walk(map(_stored, whole.entries(connection)), head, RECORD_TYPES, progress)


def _stored(row: whole.Row) -> stored.StoredEntry:
    recorded = row["recorded"] is not None
    return stored.StoredEntry(row["leaf_index"], row["leaf"], recorded, row["record"], row["salt"])
