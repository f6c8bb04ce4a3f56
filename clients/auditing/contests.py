"""Contests that their contributor leaves undecided: somebody says that records are wrong or not theirs, and waits.

Rule (decision 0041): whoever contests is owed an answer within a month (GDPR article 12(3)), and until then the records
are out, so nothing presses the contributor. A contest is named while it is open and the days that the rules give are
over, by the rules that were in force when it began. One that was decided late is not. What was decided, and whether the
person was told, the log does not say.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from broker.protocol.messages.consent import ContestState
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.findings import (
    DAY_SECONDS,
    Anomaly,
    Decided,
    End,
    Finding,
    Known,
    LeftOut,
    needs_bundles,
)
from clients.auditing.mirrored import Entry


@dataclass(slots=True)
class _Contest:
    """One withdrawal that is contested: its entry, and the rules that were in force then; None if nobody can tell."""

    index: int
    begun_at: int
    bundle: str | None
    contributor: str | None


class Contests:
    """Contests that are open and overdue by the time of the last entry."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._in_force: str | None = None
        self._open: dict[str, _Contest] = {}
        self._erased = False

    def see(self, entry: Entry, decided: Decided | None) -> tuple[Finding, ...]:
        """Nothing yet: whether a contest is decided, later entries tell."""
        record = entry.record
        if entry.kind == RecordKind.BUNDLE_ACTIVATED:
            self._in_force = None if record is None else record.bundle_digest
        elif entry.kind == RecordKind.CONTEST_STATED and record is None:
            self._erased = True  # it may be the decision that is missed
        elif entry.kind == RecordKind.CONTEST_STATED and record is not None:
            withdrawal = record.withdrawal_digest or ""
            if record.state == ContestState.CONTESTED:
                begun = _Contest(entry.index, entry.recorded_at, self._in_force, record.contributor)
                self._open[withdrawal] = begun
            else:
                self._open.pop(withdrawal, None)
        return ()

    def finish(self, end: End) -> Iterator[Finding | LeftOut]:
        """The contests that nobody decided in time."""
        if self._erased:
            return
        unknown = set[str]()
        for each in self._open.values():
            if each.bundle is None:
                continue  # its activation was erased, which is told
            numbers = self._known.numbers.get(each.bundle)
            if numbers is None:
                unknown.add(each.bundle)
                continue
            days = numbers.contest_decision_days
            late = end.until - each.begun_at - days * DAY_SECONDS
            if late > 0:
                detail = f"Undecided, and overdue by {late // DAY_SECONDS} days; {days} are allowed."
                yield Finding(Anomaly.CONTEST_UNDECIDED, (each.index,), detail, each.contributor)
        yield from needs_bundles(unknown, Anomaly.CONTEST_UNDECIDED)
