"""The log itself: erased records, a clock that was put back, changes of deposits that are not numbered one by one.

Rule (AUDIT 3, promise 6): order is the index and clock time is data. A few seconds back are usual, since a broker reads
its clock before it waits for the database, and several brokers have several clocks: only more than
`CLOCK_TOLERANCE_SECONDS` counts, the time within which a signed call must arrive. Changes of a deposit are numbered
from 1, whatever they are (docs/data-model.md).
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator

from broker.protocol.leaves import CLOCK_TOLERANCE_SECONDS
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.findings import Anomaly, Finding, History
from clients.auditing.mirrored import Entry

_CHANGES = (RecordKind.RECORDS_WITHDRAWN, RecordKind.RECORDS_REPLACED)


def look(history: History) -> Iterator[Finding]:
    """What is odd about the log itself."""
    yield from _root_numbers(history)
    for before, entry in itertools.pairwise(history.entries):
        back = before.recorded_at - entry.recorded_at
        if back > CLOCK_TOLERANCE_SECONDS:
            yield Finding(Anomaly.CLOCK_BACK, (before.index, entry.index), f"By {back} seconds.")
    erased = tuple(entry.index for entry in history.entries if entry.record is None)
    if erased:
        kinds = sorted({entry.kind for entry in history.entries if entry.record is None})
        yield Finding(Anomaly.RECORDS_ERASED, erased, f"{len(erased)}, of the kinds {', '.join(kinds)}.")


def _root_numbers(history: History) -> Iterator[Finding]:
    if any(entry.kind in _CHANGES and entry.record is None for entry in history.entries):
        return  # an erased one may be the number that is missing
    changes: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in history.entries:
        if entry.kind in _CHANGES and entry.record is not None:
            changes[entry.record.deposit_id or ""].append(entry)
    for entries in changes.values():
        numbers = [each.record.number for each in entries if each.record is not None]
        if numbers != list(range(1, len(numbers) + 1)):
            told = ", ".join(map(str, numbers))
            indices = tuple(each.index for each in entries)
            yield Finding(Anomaly.ROOT_NUMBERS, indices, f"The numbers are {told}.", entries[0].agency)
