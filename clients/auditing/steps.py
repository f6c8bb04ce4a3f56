"""Are the entries of each request whole and in order: ADMITTED, TOKENS, RELEASE, then RELEASED or FAILED, once each?

Rule (AUDIT 3, promise 1): no evaluation without ADMITTED, nothing assembled without RELEASE, and each RELEASE closed.
A RELEASE repeats the facts of its ADMITTED, and what it was decided on is compared with that: findings, people and the
series searched count as of the release, everything else as of the admission.
Where an erased record could be the one that is missing, nothing is said: `clients.auditing.upkeep` says that it was
erased. What the decisions say is `clients.replay`'s.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from broker.protocol.messages.vocabulary import Outcome, RecordKind, Tier
from clients.auditing.findings import Anomaly, Finding, History
from clients.auditing.logged import ReleaseFacts
from clients.auditing.mirrored import Entry

_TIERS = tuple(Tier)
_CLOSING = (RecordKind.RELEASED, RecordKind.FAILED)
_TWICE = {
    RecordKind.ADMITTED: Anomaly.ADMITTED_TWICE,
    RecordKind.TOKENS: Anomaly.TOKENS_TWICE,
    RecordKind.RELEASE: Anomaly.RELEASE_TWICE,
}


def look(history: History) -> Iterator[Finding]:
    """What is missing, doubled or out of order."""
    yield from _twice(history)
    seen = _Seen()
    for entry in history.entries:
        if entry.record is None:
            seen.erased.add(entry.kind)
        else:
            yield from seen.step(entry)
    yield from seen.open_releases()


@dataclass
class _Seen:
    """What came so far: permits admitted and used, releases, and how each was closed."""

    admitted: dict[str, Entry] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    releases: dict[int, Entry] = field(default_factory=dict)
    closed: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    erased: set[str] = field(default_factory=set)

    def step(self, entry: Entry) -> Iterator[Finding]:
        """What is wrong with one entry after those before it."""
        record = entry.record
        if record is None:
            return
        if entry.kind == RecordKind.ADMITTED and record.terms is not None:
            self.admitted.setdefault(record.terms.permit_id, entry)
        elif entry.kind == RecordKind.TOKENS and record.permit_id is not None:
            self.used.add(record.permit_id)
        elif entry.kind == RecordKind.RELEASE:
            yield from self._release(entry, record.permit_id or "")
        elif entry.kind in _CLOSING and record.release_index is not None:
            yield from self._closing(entry, record.release_index, record.permit_id or "")

    def open_releases(self) -> Iterator[Finding]:
        """Releases that nothing closed."""
        if self.erased & set(_CLOSING):
            return
        for index, entry in self.releases.items():
            if index not in self.closed:
                yield Finding(
                    Anomaly.OPEN_RELEASE, (index,), "Neither RELEASED nor FAILED followed.", entry.agency
                )

    def _release(self, entry: Entry, permit_id: str) -> Iterator[Finding]:
        self.releases[entry.index] = entry
        if permit_id not in self.admitted and RecordKind.ADMITTED not in self.erased:
            yield _one(
                Anomaly.RELEASE_WITHOUT_ADMISSION, entry, "No ADMITTED entry of its permit came before."
            )
        if permit_id in self.admitted:
            yield from _of_other_admission(self.admitted[permit_id], entry)
        if permit_id not in self.used and RecordKind.TOKENS not in self.erased:
            yield _one(Anomaly.RELEASE_WITHOUT_TOKENS, entry, "No TOKENS entry of its permit came before.")

    def _closing(self, entry: Entry, release_index: int, permit_id: str) -> Iterator[Finding]:
        release = self.releases.get(release_index)
        if release is None or release.record is None or release.record.permit_id != permit_id:
            if RecordKind.RELEASE not in self.erased:
                detail = f"It names entry {release_index}, which is no RELEASE of its permit."
                yield _one(Anomaly.DISCLOSED_UNDECIDED, entry, detail)
            return
        before = self.closed[release_index]
        before.append(entry.index)
        if len(before) == 2:
            entries = (release_index, *before)
            yield Finding(Anomaly.CLOSED_TWICE, entries, "One RELEASE was closed again.", entry.agency)
        if entry.kind == RecordKind.RELEASED and release.outcome != Outcome.ALLOW:
            entries = (release_index, entry.index)
            detail = f"Refused by {', '.join(release.rules)}, and disclosed."
            yield Finding(Anomaly.DISCLOSED_THOUGH_REFUSED, entries, detail, entry.agency)


def _of_other_admission(admitted: Entry, release: Entry) -> Iterator[Finding]:
    terms = None if admitted.record is None else admitted.record.terms
    request = admitted.decisions[0].request if admitted.decisions else None
    if terms is None or request is None:
        return
    asked = request.model_copy(update={"verified": None})
    differs = []
    for decision in release.decisions:
        facts = decision.facts
        if not isinstance(facts, ReleaseFacts):
            differs.append("a decision that is none about a release")
            continue
        if facts.admission_digest != terms.decision_digest:
            differs.append("the admission it names")
        again = facts.admitted.model_copy(update={"verified": None})
        differs += [name for name in type(again).model_fields if getattr(again, name) != getattr(asked, name)]
        if decision.tier is not None and _TIERS.index(Tier(decision.tier)) > _TIERS.index(Tier(terms.tier)):
            differs.append("a tier above the permit's")
    if differs:
        indices, told = (admitted.index, release.index), ", ".join(dict.fromkeys(differs))
        yield Finding(Anomaly.OTHER_ADMISSION, indices, f"Different: {told}.", release.agency)


def _one(anomaly: Anomaly, entry: Entry, detail: str) -> Finding:
    return Finding(anomaly, (entry.index,), detail, entry.agency)


def _twice(history: History) -> Iterator[Finding]:
    for kind, anomaly in _TWICE.items():
        by_name: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in history.entries:
            if entry.kind == kind and entry.record is not None:
                for name in _names(entry):
                    by_name[name].append(entry)
        # A request and its permit name the same entries: told once.
        doubled = {
            tuple(each.index for each in entries): entries[0].agency
            for entries in by_name.values()
            if len(entries) > 1
        }
        for indices, agency in doubled.items():
            yield Finding(anomaly, indices, f"{len(indices)} {kind} entries.", agency)


def _names(entry: Entry) -> list[str]:
    """The request and the permit that an entry is about."""
    record = entry.record
    if record is None:
        return []
    named = [record.permit_id, record.request_id]
    if record.terms is not None:
        named += [record.terms.permit_id, record.terms.request_digest]
    return [name for name in named if name is not None]
