"""What the broker's log permits: each permit with its entry, and the tokens that were sent under it.

Rule: read from the auditor's mirror alone, for one space. The first permit is in ADMITTED, the second, for a payload,
in RELEASE. It judges nothing: see `clients.auditing.reconcile`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.logged import Terms
from clients.auditing.mirrored import Entry

ANSWERED_BY = {
    RecordKind.EVALUATED.value: RecordKind.ADMITTED.value,
    RecordKind.OPENED.value: RecordKind.RELEASE.value,
}
"""The kind of the broker's entry that each kind of a holder's entry rests on."""


@dataclass(frozen=True, slots=True)
class Permitted:
    """A permit and the entry that gave it. `selects` goes on from earlier matches, which nobody evaluates anew."""

    index: int
    terms: Terms
    selects: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """Tokens of one series were sent under a permit."""

    index: int
    sent_at: int
    permit_id: str
    series_id: str


@dataclass
class PermittedBy:
    """The broker's log, as far as reconciling needs it. `until` is the time of its last entry."""

    size: int
    until: int = 0
    permits: dict[tuple[str, str], Permitted] = field(default_factory=dict)
    """By kind of the broker's entry and permit_id."""
    sent: list[Sent] = field(default_factory=list)
    erased: set[int] = field(default_factory=set)
    """Entries of kinds that give a permit, whose record is gone."""


def permitted_by(entries: Iterable[Entry], size: int, space_id: bytes) -> PermittedBy:
    """What the entries of the broker's log permit in a space."""
    found = PermittedBy(size)
    for entry in entries:
        found.until = max(found.until, entry.recorded_at)
        if entry.record is None:
            if entry.kind in ANSWERED_BY.values():
                found.erased.add(entry.index)
            continue
        if entry.about is None or entry.about.space_id != space_id.hex():
            continue
        if entry.kind == RecordKind.ADMITTED and entry.record.terms is not None:
            _add(found, entry, entry.record.terms, entry.about.goes_on)
        elif entry.kind == RecordKind.RELEASE and entry.record.opening is not None:
            _add(found, entry, entry.record.opening, False)
        elif entry.kind == RecordKind.TOKENS:
            _send(found, entry)
    return found


def _add(found: PermittedBy, entry: Entry, terms: Terms, selects: bool) -> None:
    found.permits.setdefault((entry.kind, terms.permit_id), Permitted(entry.index, terms, selects))


def _send(found: PermittedBy, entry: Entry) -> None:
    record = entry.record
    permit_id = "" if record is None or record.permit_id is None else record.permit_id
    permitted = found.permits.get((RecordKind.ADMITTED.value, permit_id))
    if record is None or permitted is None or permitted.selects:
        return  # what was never admitted, `clients.auditing.steps` names
    names = {each.handle: each.series_id for each in permitted.terms.series}
    lists = record.lists or ()
    for series_id in sorted({names[each.handle] for each in lists if each.tokens and each.handle in names}):
        found.sent.append(Sent(entry.index, entry.recorded_at, permit_id, series_id))
