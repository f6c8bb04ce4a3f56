"""Contributors that were asked about their own records and said nothing.

Rule (POLICY L19): silence up to the time in the ask is a refusal, so it is a lawful answer; but a contributor that
never hears of its asks has lost its say. Silence is told once the log has come past the time to answer.
"""

from collections.abc import Iterator

from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.findings import Anomaly, Decided, End, Finding, Known
from clients.auditing.mirrored import Entry

_Ask = tuple[str | None, str | None]
"""Permit and series."""


class Asks:
    """Asks whose time is over, without an answer."""

    def __init__(self, known: Known) -> None:
        self._asked: dict[int, tuple[_Ask, int, Finding]] = {}
        self._answered: set[_Ask] = set()
        self._erased = False

    def see(self, entry: Entry, decided: Decided | None) -> tuple[Finding, ...]:
        """Nothing yet: whether an ask is answered, later entries tell."""
        record = entry.record
        if record is None:
            self._erased = self._erased or entry.kind == RecordKind.RELEASE_ANSWERED
            return ()
        ask = (record.permit_id, record.series_id)
        if entry.kind == RecordKind.RELEASE_ANSWERED:
            self._answered.add(ask)
        elif entry.kind == RecordKind.RELEASE_ASKED and record.until_at is not None:
            detail = f"Asked about {record.records or 0} of its records."
            found = Finding(Anomaly.SILENT_CONTRIBUTOR, (entry.index,), detail, record.contributor)
            self._asked[entry.index] = (ask, record.until_at, found)
        return ()

    def finish(self, end: End) -> Iterator[Finding]:
        """The asks that nobody answered in time. Silent where an erased record may be the answer."""
        for ask, until_at, found in self._asked.values():
            if not self._erased and until_at <= end.until and ask not in self._answered:
                yield found
