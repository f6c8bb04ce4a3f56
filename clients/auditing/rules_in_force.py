"""Was each decision taken under the rules that the log says were in force?

Rule: the last BUNDLE_ACTIVATED entry before a decision says what is in force; before the first, nothing is. A release
under rules that changed since the admission has a second decision, under the earlier ones, which is not looked at
here. Nor is whether the activation itself was in order, or what the rules come to: that is `audit replay`'s.
"""

from collections.abc import Iterator

from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.findings import Anomaly, Decided, End, Finding, Known
from clients.auditing.mirrored import Entry


class RulesInForce:
    """Decisions under other rules. Says nothing between an erased activation and the next one."""

    def __init__(self, known: Known) -> None:
        self._in_force: str | None = None
        self._told = True

    def see(self, entry: Entry, decided: Decided | None) -> Iterator[Finding]:
        """A decision under other rules than those in force."""
        if entry.kind == RecordKind.BUNDLE_ACTIVATED:
            self._told = entry.record is not None
            self._in_force = None if entry.record is None else entry.record.bundle_digest
        elif self._told and entry.bundle is not None and entry.bundle != self._in_force:
            detail = f"Decided under {entry.bundle}; in force was {self._in_force or 'none'}."
            yield Finding(Anomaly.OTHER_RULES, (entry.index,), detail, entry.agency)

    def finish(self, end: End) -> tuple[Finding, ...]:
        """Nothing: each decision was looked at when it came."""
        return ()
