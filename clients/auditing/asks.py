"""Contributors that were asked about their own records and said nothing.

Rule (POLICY L19): silence up to the time in the ask is a refusal, so it is a lawful answer; but a contributor that
never hears of its asks has lost its say. Silence is told once the log has come past the time to answer.
"""

from collections.abc import Iterator

from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.findings import Anomaly, Finding, History


def look(history: History) -> Iterator[Finding]:
    """Asks whose time is over, without an answer."""
    if any(each.kind == RecordKind.RELEASE_ANSWERED and each.record is None for each in history.entries):
        return  # an erased record may be the answer
    answered = {
        (each.record.permit_id, each.record.series_id)
        for each in history.entries
        if each.kind == RecordKind.RELEASE_ANSWERED and each.record is not None
    }
    for entry in history.entries:
        record = entry.record
        if entry.kind != RecordKind.RELEASE_ASKED or record is None or record.until_at is None:
            continue
        if record.until_at <= history.until and (record.permit_id, record.series_id) not in answered:
            detail = f"Asked about {record.records or 0} of its records."
            yield Finding(Anomaly.SILENT_CONTRIBUTOR, (entry.index,), detail, record.contributor)
