"""Emergency disclosures: reviewed in time, and found justified?

Rule (POLICY L11): what leaves by the emergency route is reviewed within the days that the rules give from the
disclosure on. A disclosure that was found not justified stays named, whatever was decided about it later.
"""

from collections.abc import Iterator

from broker.protocol.messages.vocabulary import Outcome, RecordKind
from clients.auditing.findings import DAY_SECONDS, Anomaly, Finding, History, LeftOut
from clients.auditing.mirrored import Entry
from clients.auditing.usage import EMERGENCY


def look(history: History) -> Iterator[Finding | LeftOut]:
    """Reviews that are overdue by the time of the last entry, and disclosures found not justified."""
    emergencies: dict[str, Entry] = {}
    disclosed: dict[str, Entry] = {}
    reviewed: set[str] = set()
    erased = False
    for entry in history.entries:
        if entry.kind == RecordKind.EMERGENCY_REVIEWED and entry.record is None:
            erased = True  # it may be the review that is missed
        if entry.about is None or entry.record is None:
            continue
        request = entry.about.request_digest
        if entry.kind == RecordKind.RELEASE and EMERGENCY in entry.rules and entry.outcome == Outcome.ALLOW:
            emergencies[request] = entry
        elif entry.kind == RecordKind.RELEASED and request in emergencies:
            disclosed[request] = entry
        elif entry.kind == RecordKind.EMERGENCY_REVIEWED:
            reviewed.add(request)
            if not entry.record.justified:
                indices = tuple(each[request].index for each in (emergencies, disclosed) if request in each)
                yield Finding(
                    Anomaly.REVIEW_NOT_JUSTIFIED,
                    (*indices, entry.index),
                    "Found not justified.",
                    entry.agency,
                )
    if not erased:
        yield from _overdue(history, emergencies, disclosed, reviewed)
    if any(history.numbers_of(entry) is None for entry in emergencies.values()):
        yield from history.unknown_rules(Anomaly.REVIEW_OVERDUE)


def _overdue(
    history: History, emergencies: dict[str, Entry], disclosed: dict[str, Entry], reviewed: set[str]
) -> Iterator[Finding]:
    for request, entry in disclosed.items():
        numbers = history.numbers_of(emergencies[request])
        if numbers is None or request in reviewed:
            continue
        late = history.until - entry.recorded_at - numbers.emergency_review_days * DAY_SECONDS
        if late > 0:
            detail = f"Overdue by {late // DAY_SECONDS} days; {numbers.emergency_review_days} are allowed."
            indices = (emergencies[request].index, entry.index)
            yield Finding(Anomaly.REVIEW_OVERDUE, indices, detail, entry.agency)
