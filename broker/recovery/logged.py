"""The log against itself: leaves, nodes, head and records, and each entry opened once for the checks that follow.

Rule (AUDIT 1 and 4): a node is derived from leaves and compared; a record must open its leaf's digest or be erased
whole; kind and record are of a form this release writes. It knows no other table.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from broker.audit import records
from broker.protocol import leaves
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import Message, decode
from broker.protocol.messages.closings import Failed, Released
from broker.protocol.messages.requests import AdmissionRecord, ReleaseDecided
from broker.protocol.messages.vocabulary import RecordKind
from broker.recovery.findings import Finding, entry
from broker.store import whole
from broker.store.database import Connection
from broker.store.log import SqlLogStorage
from broker.translog.storage import Head
from broker.translog.verify import mismatches

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


@dataclass(frozen=True)
class Entry:
    """One entry. `record` is None when it was erased, or an earlier release wrote it in a form of its own."""

    index: int
    kind: RecordKind
    recorded_at: int
    record: Message | None = field(repr=False)


def check_hashes(connection: Connection) -> Iterator[Finding]:
    """Leaves, nodes and head, derived again; and that there are no more of them than the head says."""
    head = SqlLogStorage(connection).head()
    for mismatch in mismatches(SqlLogStorage(connection), head):
        yield Finding("the log", f"{mismatch}.")
    expected = {
        "log_leaves": head.size,
        "log_records": head.size,
        "log_nodes": sum(head.size >> level for level in range(head.size.bit_length())),
    }
    for table, number in expected.items():
        stored = whole.number(connection, table)
        if stored != number:
            yield Finding(
                f"table {table}",
                f"has {stored:,} rows, and a log of {head.size:,} entries has {number:,}.",
            )


def read_entry(row: whole.Row) -> Entry:
    """Open an entry: its leaf, and the record by its salt.

    Raises VerificationFailed or BadInput, saying what does not fit."""
    content = leaves.parse_leaf(row["leaf"])
    try:
        kind = RecordKind(content.kind)
        form = RECORD_TYPES[kind]
    except (ValueError, KeyError) as error:
        raise BadInput("The entry is of a kind that no broker of this release writes.") from error
    record, salt = row["record"], row["salt"]
    if record is None and salt is None:
        return Entry(row["leaf_index"], kind, content.recorded_at, None)
    if record is None or salt is None:
        raise VerificationFailed("Of record and salt one is erased and the other is not.")
    leaves.verify_record(row["leaf"], record, salt)
    if kind is RecordKind.BUNDLE_ACTIVATED and record.endswith(b'"v":1}'):
        # Written when a broker took any rules: nothing is in force by it (`broker.activation`).
        return Entry(row["leaf_index"], kind, content.recorded_at, None)
    return Entry(row["leaf_index"], kind, content.recorded_at, decode(form, record))


def walk(
    connection: Connection, head: Head, progress: Callable[[str, int, int], None]
) -> Iterator[Entry | Finding]:
    """Every entry in order, or what is wrong with it. Clock time is data: it has to be told of when it goes back."""
    before: Entry | None = None
    for row in whole.entries(connection):
        index = row["leaf_index"]
        progress("entries", index, head.size)
        if row["recorded"] is None:
            yield Finding(entry(index), "has no row for its record, not even an erased one.")
        try:
            read = read_entry(row)
        except (VerificationFailed, BadInput) as error:
            yield Finding(entry(index), error.detail)
            before = None
            continue
        if before is not None and before.recorded_at - read.recorded_at > leaves.CLOCK_TOLERANCE_SECONDS:
            yield from _check_told(connection, read)
        before = read
        yield read


def _check_told(connection: Connection, late: Entry) -> Iterator[Finding]:
    found = whole.entry_at(connection, late.index + 1)
    try:
        told = None if found is None else leaves.parse_leaf(found["leaf"]).kind
    except VerificationFailed:
        return  # that is a finding of its own
    if told != RecordKind.CLOCK_WENT_BACK.value:
        yield Finding(
            entry(late.index, late.kind.value),
            "its time is well before that of the entry before it, and no entry says that the clock went back.",
        )
