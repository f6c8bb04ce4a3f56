"""Was each decision taken under the rules that the log says were in force?

Rule: the last BUNDLE_ACTIVATED entry before a decision says what is in force; before the first, nothing is. A release
under rules that changed since the admission has a second decision, under the earlier ones, which is not looked at
here. Nor is whether the activation itself was in order, or what the rules come to: that is `audit replay`'s.
"""

from collections.abc import Iterator

from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.findings import Anomaly, Finding, History


def look(history: History) -> Iterator[Finding]:
    """Decisions under other rules. Says nothing between an erased activation and the next one."""
    in_force: str | None = None
    known = True
    for entry in history.entries:
        if entry.kind == RecordKind.BUNDLE_ACTIVATED:
            known = entry.record is not None
            in_force = None if entry.record is None else entry.record.bundle_digest
        elif known and entry.bundle is not None and entry.bundle != in_force:
            told = in_force or "none"
            detail = f"Decided under {entry.bundle}; in force was {told}."
            yield Finding(Anomaly.OTHER_RULES, (entry.index,), detail, entry.agency)
