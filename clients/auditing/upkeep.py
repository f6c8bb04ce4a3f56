"""The log itself: erased records, a clock that was put back, a log key that the old one did not hand on, and changes of
deposits that are not numbered one by one.

Rule (AUDIT 3, promise 6): order is the index and clock time is data. A few seconds back are usual, since a broker reads
its clock before it waits for the database, and several brokers have several clocks: only more than
`CLOCK_TOLERANCE_SECONDS` counts, the time within which a signed call must arrive. Changes of a deposit are numbered
from 1, whatever they are (docs/data-model.md). A change of the log's key without the old key's signature is the way out
of an emergency (decision 0018), and told each time; that the signatures verify is `audit verify`'s.
"""

from collections import defaultdict
from collections.abc import Iterator

from broker.protocol.leaves import CLOCK_TOLERANCE_SECONDS
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.findings import Anomaly, Decided, End, Finding, Known
from clients.auditing.mirrored import Entry

_CHANGES = (RecordKind.RECORDS_WITHDRAWN, RecordKind.RECORDS_REPLACED)


class Upkeep:
    """What is odd about the log itself."""

    def __init__(self, known: Known) -> None:
        self._before: tuple[int, int] | None = None
        self._erased: dict[int, str] = {}
        """Kinds of the entries whose records are gone, by index."""
        self._said: dict[int, int] = {}
        """For an entry, the one that says its record was erased on an order."""
        self._changes: defaultdict[str, list[tuple[int, int | None, str | None]]] = defaultdict(list)
        """By deposit: index, number and contributor of each change."""

    def see(self, entry: Entry, decided: Decided | None) -> Iterator[Finding]:
        """A clock that was put back, and a log key that was lost."""
        if self._before is not None:
            index, recorded_at = self._before
            back = recorded_at - entry.recorded_at
            if back > CLOCK_TOLERANCE_SECONDS:
                yield Finding(Anomaly.CLOCK_BACK, (index, entry.index), f"By {back} seconds.")
        self._before = (entry.index, entry.recorded_at)
        if entry.record is None:
            self._erased[entry.index] = entry.kind
        elif entry.kind == RecordKind.LOG_KEY_ROTATED and entry.record.by_old_key is None:
            yield Finding(
                Anomaly.LOG_KEY_LOST, (entry.index,), "Only the new key signed; the record has the reason."
            )
        elif entry.kind == RecordKind.RECORD_ERASED and entry.record.leaf_index is not None:
            self._said[entry.record.leaf_index] = entry.index
        elif entry.kind in _CHANGES:
            change = (entry.index, entry.record.number, entry.agency)
            self._changes[entry.record.deposit_id or ""].append(change)

    def finish(self, end: End) -> Iterator[Finding]:
        """Changes that are not numbered one by one, and what was erased."""
        if not set(self._erased.values()) & set(_CHANGES):  # an erased one may be the number that is missing
            for changes in self._changes.values():
                numbers = [number for _, number, _ in changes]
                if numbers != list(range(1, len(numbers) + 1)):
                    told = ", ".join(map(str, numbers))
                    indices = tuple(index for index, _, _ in changes)
                    yield Finding(Anomaly.ROOT_NUMBERS, indices, f"The numbers are {told}.", changes[0][2])
        for index, kind in self._erased.items():
            if index in self._said:
                yield Finding(Anomaly.RECORDS_ERASED, (index, self._said[index]), f"Of the kind {kind}.")
        unrecorded = {index: kind for index, kind in self._erased.items() if index not in self._said}
        if unrecorded:
            kinds = ", ".join(sorted(set(unrecorded.values())))
            detail = f"{len(unrecorded)}, of the kinds {kinds}."
            yield Finding(Anomaly.ERASED_UNRECORDED, tuple(unrecorded), detail)
