"""Emergency disclosures: reviewed in time, and found justified?

Rule (POLICY L11): what leaves by the emergency route is reviewed within the days that the rules give from the
disclosure on. A disclosure that was found not justified stays named, whatever was decided about it later.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from broker.protocol.messages.vocabulary import Outcome, RecordKind
from clients.auditing.findings import DAY_SECONDS, Anomaly, Decided, End, Finding, Known, LeftOut
from clients.auditing.mirrored import Entry
from clients.auditing.usage import EMERGENCY


@dataclass(slots=True)
class _Emergency:
    """One release by the emergency route: its entry, the days for a review, and when and to whom it was disclosed."""

    release_index: int
    review_days: int | None
    disclosed_index: int | None = None
    disclosed_at: int = 0
    agency: str | None = None

    @property
    def entries(self) -> tuple[int, ...]:
        """The release, and the disclosure if there was one."""
        return (
            (self.release_index,)
            if self.disclosed_index is None
            else (self.release_index, self.disclosed_index)
        )


class Reviews:
    """Reviews that are overdue by the time of the last entry, and disclosures found not justified."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._emergencies: dict[str, _Emergency] = {}
        self._reviewed: set[str] = set()
        self._erased = False

    def see(self, entry: Entry, decided: Decided | None) -> Iterator[Finding]:
        """A disclosure found not justified."""
        if entry.kind == RecordKind.EMERGENCY_REVIEWED and entry.record is None:
            self._erased = True  # it may be the review that is missed
        if entry.about is None or entry.record is None:
            return
        request = entry.about.request_digest
        found = self._emergencies.get(request)
        if entry.kind == RecordKind.RELEASE and EMERGENCY in entry.rules and entry.outcome == Outcome.ALLOW:
            numbers = self._known.numbers_of(entry)
            days = None if numbers is None else numbers.emergency_review_days
            if found is None:
                self._emergencies[request] = _Emergency(entry.index, days)
            else:
                found.release_index, found.review_days = entry.index, days
        elif entry.kind == RecordKind.RELEASED and found is not None:
            found.disclosed_index, found.disclosed_at, found.agency = (
                entry.index,
                entry.recorded_at,
                entry.agency,
            )
        elif entry.kind == RecordKind.EMERGENCY_REVIEWED:
            self._reviewed.add(request)
            if not entry.record.justified:
                indices = () if found is None else found.entries
                detail = "Found not justified."
                yield Finding(Anomaly.REVIEW_NOT_JUSTIFIED, (*indices, entry.index), detail, entry.agency)

    def finish(self, end: End) -> Iterator[Finding | LeftOut]:
        """Reviews that nobody made in time."""
        for request, each in self._emergencies.items():
            if each.disclosed_index is None or each.review_days is None:
                continue
            if request in self._reviewed or self._erased:
                continue
            late = end.until - each.disclosed_at - each.review_days * DAY_SECONDS
            if late > 0:
                detail = f"Overdue by {late // DAY_SECONDS} days; {each.review_days} are allowed."
                yield Finding(Anomaly.REVIEW_OVERDUE, each.entries, detail, each.agency)
        if any(each.review_days is None for each in self._emergencies.values()):
            yield from end.unknown_rules(Anomaly.REVIEW_OVERDUE)
