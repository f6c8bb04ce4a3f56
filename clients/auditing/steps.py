"""Are the entries of each request whole and in order: ADMITTED, TOKENS, RELEASE, then RELEASED or FAILED, once each?

Rule (AUDIT 3, promise 1): no evaluation without ADMITTED, nothing assembled without RELEASE, and each RELEASE closed.
A RELEASE repeats the facts of its ADMITTED, and what it was decided on is compared with that: findings, people and the
series searched count as of the release, everything else as of the admission.
Where an erased record could be the one that is missing, nothing is said: `clients.auditing.upkeep` says that it was
erased. What the decisions say is `clients.replay`'s.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields

from broker.protocol.messages.vocabulary import Outcome, RecordKind, Tier
from clients.auditing.findings import Anomaly, Decided, End, Finding, Known
from clients.auditing.logged import ReleaseFacts, RequestFacts, Terms
from clients.auditing.mirrored import Entry

_TIERS = tuple(Tier)
_CLOSING = (RecordKind.RELEASED, RecordKind.FAILED)
_TWICE = {
    RecordKind.ADMITTED.value: Anomaly.ADMITTED_TWICE,
    RecordKind.TOKENS.value: Anomaly.TOKENS_TWICE,
    RecordKind.RELEASE.value: Anomaly.RELEASE_TWICE,
}


@dataclass(frozen=True, slots=True)
class _Admission:
    """What is kept of an ADMITTED: what a RELEASE is compared with. `asked` is what it was admitted on."""

    index: int
    decision_digest: str
    tier: str
    asked: RequestFacts | None

    @classmethod
    def of(cls, entry: Entry, terms: Terms) -> "_Admission":
        """That of an ADMITTED entry."""
        request = entry.decisions[0].request if entry.decisions else None
        return cls(entry.index, terms.decision_digest, terms.tier, request)


@dataclass(frozen=True, slots=True)
class _Release:
    """What is kept of a RELEASE until it is closed, and after."""

    permit_id: str
    agency: str | None
    outcome: str | None
    rules: tuple[str, ...]


class Steps:
    """What is missing, doubled or out of order.

    Kept of what came so far: permits admitted and used, releases and how each was closed, and which entries name a
    request or permit."""

    def __init__(self, known: Known) -> None:
        self._admitted: dict[str, _Admission] = {}
        self._used: set[str] = set()
        self._releases: dict[int, _Release] = {}
        self._closed: defaultdict[int, list[int]] = defaultdict(list)
        self._erased: set[str] = set()
        self._named: dict[tuple[str, str], tuple[int, ...]] = {}
        self._agencies: dict[int, str | None] = {}
        """Of the first of each entry that has a double."""

    def see(self, entry: Entry, decided: Decided | None) -> Iterator[Finding]:
        """What is wrong with one entry after those before it."""
        record = entry.record
        if record is None:
            self._erased.add(entry.kind)
            return
        if entry.kind in _TWICE:
            self._name(entry)
        if entry.kind == RecordKind.ADMITTED and record.terms is not None:
            self._admitted.setdefault(record.terms.permit_id, _Admission.of(entry, record.terms))
        elif entry.kind == RecordKind.TOKENS and record.permit_id is not None:
            self._used.add(record.permit_id)
        elif entry.kind == RecordKind.RELEASE:
            yield from self._release(entry, record.permit_id or "")
        elif entry.kind in _CLOSING and record.release_index is not None:
            yield from self._closing(entry, record.release_index, record.permit_id or "")

    def finish(self, end: End) -> Iterator[Finding]:
        """What was doubled, and releases that nothing closed."""
        # A request and its permit name the same entries: told once.
        doubled = {(kind, found): None for (kind, _), found in self._named.items() if len(found) > 1}
        for kind, found in doubled:
            detail = f"{len(found)} {kind} entries."
            yield Finding(_TWICE[kind], found, detail, self._agencies[found[0]])
        if self._erased & set(_CLOSING):
            return
        for index, release in self._releases.items():
            if index not in self._closed:
                detail = "Neither RELEASED nor FAILED followed."
                yield Finding(Anomaly.OPEN_RELEASE, (index,), detail, release.agency)

    def _name(self, entry: Entry) -> None:
        for name in set(_names(entry)):
            before = self._named.get((entry.kind, name), ())
            self._named[entry.kind, name] = (*before, entry.index)
            self._agencies.setdefault(entry.index, entry.agency)

    def _release(self, entry: Entry, permit_id: str) -> Iterator[Finding]:
        self._releases[entry.index] = _Release(permit_id, entry.agency, entry.outcome, entry.rules)
        if permit_id not in self._admitted and RecordKind.ADMITTED not in self._erased:
            yield _one(
                Anomaly.RELEASE_WITHOUT_ADMISSION, entry, "No ADMITTED entry of its permit came before."
            )
        if permit_id in self._admitted:
            yield from _of_other_admission(self._admitted[permit_id], entry)
        if permit_id not in self._used and RecordKind.TOKENS not in self._erased:
            yield _one(Anomaly.RELEASE_WITHOUT_TOKENS, entry, "No TOKENS entry of its permit came before.")

    def _closing(self, entry: Entry, release_index: int, permit_id: str) -> Iterator[Finding]:
        release = self._releases.get(release_index)
        if release is None or release.permit_id != permit_id:
            if RecordKind.RELEASE not in self._erased:
                detail = f"It names entry {release_index}, which is no RELEASE of its permit."
                yield _one(Anomaly.DISCLOSED_UNDECIDED, entry, detail)
            return
        before = self._closed[release_index]
        before.append(entry.index)
        if len(before) == 2:
            entries = (release_index, *before)
            yield Finding(Anomaly.CLOSED_TWICE, entries, "One RELEASE was closed again.", entry.agency)
        if entry.kind == RecordKind.RELEASED and release.outcome != Outcome.ALLOW:
            entries = (release_index, entry.index)
            detail = f"Refused by {', '.join(release.rules)}, and disclosed."
            yield Finding(Anomaly.DISCLOSED_THOUGH_REFUSED, entries, detail, entry.agency)


def _of_other_admission(admitted: _Admission, release: Entry) -> Iterator[Finding]:
    if admitted.asked is None:
        return
    differs = []
    for decision in release.decisions:
        facts = decision.facts
        if not isinstance(facts, ReleaseFacts):
            differs.append("a decision that is none about a release")
            continue
        if facts.admission_digest != admitted.decision_digest:
            differs.append("the admission it names")
        differs += [
            name
            for name in (each.name for each in fields(RequestFacts))
            if name != "verified" and getattr(facts.admitted, name) != getattr(admitted.asked, name)
        ]
        if decision.tier is not None and _TIERS.index(Tier(decision.tier)) > _TIERS.index(
            Tier(admitted.tier)
        ):
            differs.append("a tier above the permit's")
    if differs:
        indices, told = (admitted.index, release.index), ", ".join(dict.fromkeys(differs))
        yield Finding(Anomaly.OTHER_ADMISSION, indices, f"Different: {told}.", release.agency)


def _one(anomaly: Anomaly, entry: Entry, detail: str) -> Finding:
    return Finding(anomaly, (entry.index,), detail, entry.agency)


def _names(entry: Entry) -> list[str]:
    """The request and the permit that an entry is about."""
    record = entry.record
    if record is None:
        return []
    named = [record.permit_id, record.request_id]
    if record.terms is not None:
        named += [record.terms.permit_id, record.terms.request_digest]
    return [name for name in named if name is not None]
