"""How agencies ask: hit rates, and the patterns of somebody who tries identifiers out.

Rule (POLICY L06, L10): the rules bound one request and thirty days; who keeps below every bound can still be seen over
time. The rate is the rules' own, over 90 days, and named from half of it down: between half and whole L10 has its
say already, by asking for an approver. The other numbers stand below, each with its reason; none refuses anything.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from broker.protocol.messages.vocabulary import RecordKind, Tier
from clients.auditing.findings import DAY_SECONDS, Anomaly, Decided, End, Finding, Known, LeftOut, Numbers
from clients.auditing.logged import RequestFacts
from clients.auditing.mirrored import Entry

LOW_RATE_PART = 2
"""The part of the rules' rate below which an agency is named: half."""
MANY_REQUESTS = 20
"""In a day: an officer who prepares papers for each, and has a legal desk sign them, does not come to so many."""
REQUESTS_PER_HIT = 10
"""Fewer hits than one for so many requests are hardly a match."""
FULL_PERCENT = 90
"""Of what the rules allow in one request: from here on a batch was made to fit the bound."""
FULL_BATCHES = 5
"""In 30 days: one seized telephone fills a batch or two."""
REFUSED_RUN = 3
"""Refusals in a row for too many identifiers: twice is a mistake and its correction."""
_TOO_MANY_RULES = ("L06", "L10", "L10a")


_Agency = tuple[str, str]
"""Space and agency."""


@dataclass(slots=True)
class _Asked:
    """An admitted request that goes on from none, with what was found. `agency` is the entry's."""

    index: int
    now: int
    identifiers: int
    agency: str | None
    full: bool
    hits: int = 0


@dataclass(slots=True)
class _Low:
    """The requests that were decided at a low rate, and the rate at the last of them."""

    entries: list[int] = field(default_factory=list)
    hits: int = 0
    queries: int = 0


@dataclass(slots=True)
class _Run:
    """Refusals in a row for too many identifiers. `agency` is that of the first."""

    agency: str | None
    entries: list[int] = field(default_factory=list)
    rules: set[str] = field(default_factory=set)


class Asking:
    """Rates and patterns by agency of a space."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._low: defaultdict[_Agency, _Low] = defaultdict(_Low)
        self._asked: defaultdict[_Agency, list[_Asked]] = defaultdict(list)
        self._by_request: dict[str, list[_Asked]] = {}
        self._runs: dict[_Agency, _Run] = {}

    def see(self, entry: Entry, decided: Decided | None) -> Iterator[Finding]:
        """A run of refusals that has ended."""
        if decided is not None:
            self._rate(entry, decided)
        facts = entry.about
        if facts is None:
            return
        if entry.kind == RecordKind.RELEASE and entry.decisions:
            result = getattr(entry.decisions[0].facts, "result", None)
            for each in self._by_request.get(facts.request_digest, ()):
                each.hits = 0 if result is None else result.hits
        elif entry.kind == RecordKind.ADMITTED and not facts.goes_on:
            self._ask(entry, facts)
        if entry.kind in (RecordKind.ADMITTED, RecordKind.REFUSED):
            yield from self._refusal(entry, (facts.space_id, facts.requester.agency_id))

    def finish(self, end: End) -> Iterator[Finding | LeftOut]:
        """Rates, bursts, and runs of refusals that went on to the end."""
        for (_, agency), low in self._low.items():
            detail = f"{low.hits} hits of {low.queries} identifiers in the 90 days before the last of these."
            yield Finding(Anomaly.LOW_HIT_RATE, tuple(low.entries), detail, agency)
        for run in self._runs.values():
            yield from _told(run)
        for asked in self._asked.values():
            yield from _many_requests(asked)
            yield from _full_batches(asked)
        yield from end.unknown_rules(Anomaly.LOW_HIT_RATE, Anomaly.FULL_BATCHES)

    def _rate(self, entry: Entry, decided: Decided) -> None:
        numbers, facts, counted = self._known.numbers_of(entry), decided.facts, decided.counted
        if numbers is None or not counted.complete or counted.queries_90d < numbers.rate_queries:
            return
        if counted.hits_90d * 100 * LOW_RATE_PART < counted.queries_90d * numbers.rate_percent:
            low = self._low[facts.space_id, facts.requester.agency_id]
            low.entries.append(entry.index)
            low.hits, low.queries = counted.hits_90d, counted.queries_90d

    def _ask(self, entry: Entry, facts: RequestFacts) -> None:
        numbers = self._known.numbers_of(entry)
        full = numbers is not None and facts.identifiers * 100 >= _most(numbers, facts) * FULL_PERCENT
        asked = _Asked(entry.index, facts.now, facts.identifiers, entry.agency, full)
        self._asked[facts.space_id, facts.requester.agency_id].append(asked)
        self._by_request.setdefault(facts.request_digest, []).append(asked)

    def _refusal(self, entry: Entry, agency: _Agency) -> Iterator[Finding]:
        rules = set(entry.rules) & set(_TOO_MANY_RULES)
        if entry.kind == RecordKind.REFUSED and rules:
            run = self._runs.setdefault(agency, _Run(entry.agency))
            run.entries.append(entry.index)
            run.rules |= rules
        elif agency in self._runs:
            yield from _told(self._runs.pop(agency))


def _told(run: _Run) -> Iterator[Finding]:
    if len(run.entries) >= REFUSED_RUN:
        detail = f"{len(run.entries)} refusals, by {', '.join(sorted(run.rules))}."
        yield Finding(Anomaly.REFUSED_IN_A_ROW, tuple(run.entries), detail, run.agency)


def _many_requests(asked: Sequence[_Asked]) -> Iterator[Finding]:
    for burst in _bursts(asked, DAY_SECONDS, MANY_REQUESTS):
        hits = sum(each.hits for each in burst)
        if hits * REQUESTS_PER_HIT < len(burst):
            indices = tuple(each.index for each in burst)
            identifiers = sum(each.identifiers for each in burst)
            detail = f"{len(burst)} requests about {identifiers} identifiers, {hits} hits."
            yield Finding(Anomaly.MANY_REQUESTS, indices, detail, burst[0].agency)


def _full_batches(asked: Sequence[_Asked]) -> Iterator[Finding]:
    full = [each for each in asked if each.full]
    for burst in _bursts(full, 30 * DAY_SECONDS, FULL_BATCHES):
        indices = tuple(each.index for each in burst)
        sizes = sorted({each.identifiers for each in burst})
        detail = f"{len(burst)} requests within 30 days of each other, about {sizes[0]} to {sizes[-1]} identifiers."
        yield Finding(Anomaly.FULL_BATCHES, indices, detail, burst[0].agency)


def _most(numbers: Numbers, facts: RequestFacts) -> int:
    """How many identifiers L06 lets a request of this tier name."""
    of_tier = {
        Tier.COUNT: numbers.count_identifiers,
        Tier.HITS: numbers.hits_identifiers,
        Tier.SOURCES: numbers.sources_identifiers,
        Tier.PAYLOAD: numbers.payload_identifiers,
    }[Tier(facts.tier)]
    found = facts.verified
    if found is not None and found.maximum_penalty_months < numbers.lesser_offence_months:
        return min(of_tier, numbers.lesser_offence_identifiers)
    return of_tier


def _bursts(asked: Sequence[_Asked], seconds: int, least: int) -> Iterator[list[_Asked]]:
    """Stretches in which each request has at least `least` within so many seconds, each stretch once."""
    window: deque[_Asked] = deque()
    burst: list[_Asked] = []
    for each in asked:
        window.append(each)
        while each.now - window[0].now >= seconds:
            window.popleft()
        if len(window) < least:
            continue
        if burst and burst[-1] not in window:
            yield burst
            burst = []
        last = burst[-1].index if burst else -1
        burst += [one for one in window if one.index > last]
    if burst:
        yield burst
