"""Notices of what was taken back: as many as the withdrawal says, each acknowledged in time.

Rule (GDPR article 19): a withdrawal's record says how many requesters' answers told of the records, and the record of
how a contest ended how many were told of it; as many notices follow. A notice that is not acknowledged when its time is
over is named, with whether its requester was ever shown it: one that never was may have been dropped by the broker, or
its requester never asked.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.findings import DAY_SECONDS, Anomaly, Decided, End, Finding, Known
from clients.auditing.mirrored import Entry

_WITHDRAWALS = (
    RecordKind.RECORDS_WITHDRAWN,
    RecordKind.DEPOSIT_WITHDRAWN,
    RecordKind.SERIES_WITHDRAWN,
)


@dataclass(slots=True)
class _Notice:
    index: int
    requester: str | None
    due_at: int
    shown: bool = False


class RetractionsCheck:
    """Withdrawals with fewer notices than they say, and notices that nobody acknowledged in time."""

    def __init__(self, known: Known) -> None:
        self._said: dict[str, tuple[int, int, str | None]] = {}
        self._noticed: Counter[str] = Counter()
        self._open: dict[str, _Notice] = {}
        self._erased_notice = False
        self._erased_answer = False

    def see(self, entry: Entry, decided: Decided | None) -> Iterator[Finding]:
        """The next entry; nothing is found before the end."""
        record = entry.record
        if record is None:
            self._erased_notice = self._erased_notice or entry.kind == RecordKind.RETRACTION_NOTICED
            self._erased_answer = self._erased_answer or entry.kind == RecordKind.RETRACTION_ACKNOWLEDGED
        elif entry.kind in _WITHDRAWALS and record.notices and record.withdrawal_digest:
            self._said[record.withdrawal_digest] = (entry.index, record.notices, record.contributor)
        elif entry.kind == RecordKind.CONTEST_STATED and record.notices and record.document_digest:
            self._said[record.document_digest] = (entry.index, record.notices, record.contributor)
        elif entry.kind == RecordKind.RETRACTION_NOTICED and record.notice_id:
            self._noticed[record.withdrawal_digest or ""] += 1
            self._open[record.notice_id] = _Notice(entry.index, record.requester, record.due_at or 0)
        elif entry.kind == RecordKind.RETRACTION_SHOWN:
            for notice_id in record.notice_ids or ():
                if notice_id in self._open:
                    self._open[notice_id].shown = True
        elif entry.kind == RecordKind.RETRACTION_ACKNOWLEDGED:
            self._open.pop(record.notice_id or "", None)
        yield from ()

    def finish(self, end: End) -> Iterator[Finding]:
        """What is missing, and what is overdue by the time of the last entry."""
        for digest, (index, number, contributor) in self._said.items():
            if self._noticed[digest] != number and not self._erased_notice:
                detail = f"{number} are owed; {self._noticed[digest]} are logged."
                yield Finding(Anomaly.RETRACTION_UNNOTICED, (index,), detail, contributor)
        for each in self._open.values():
            late = end.until - each.due_at
            if late > 0 and not self._erased_answer:
                shown = "It was shown." if each.shown else "It was never shown."
                detail = f"Overdue by {late // DAY_SECONDS} days. {shown}"
                yield Finding(Anomaly.RETRACTION_OVERDUE, (each.index,), detail, each.requester)
