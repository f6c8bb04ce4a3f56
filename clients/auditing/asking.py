"""How agencies ask: hit rates, and the patterns of somebody who tries identifiers out.

Rule (POLICY L06, L10): the rules bound one request and thirty days; who keeps below every bound can still be seen over
time. The rate is the rules' own, over 90 days, and named from half of it down: between half and whole L10 has its
say already, by asking for an approver. The other numbers stand below, each with its reason; none refuses anything.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from broker.protocol.messages.vocabulary import RecordKind, Tier
from clients.auditing.findings import DAY_SECONDS, Anomaly, Finding, History, LeftOut, Numbers
from clients.auditing.logged import RequestFacts
from clients.auditing.mirrored import Entry
from clients.auditing.usage import counted_decisions

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


@dataclass(frozen=True)
class _Asked:
    entry: Entry
    facts: RequestFacts
    hits: int


def look(history: History) -> Iterator[Finding | LeftOut]:
    """Rates and patterns by agency of a space."""
    yield from _low_rates(history)
    yield from _refused_in_a_row(history)
    for asked in _by_agency(history).values():
        yield from _many_requests(asked)
        yield from _full_batches(history, asked)
    yield from history.unknown_rules(Anomaly.LOW_HIT_RATE, Anomaly.FULL_BATCHES)


def _low_rates(history: History) -> Iterator[Finding]:
    low: defaultdict[tuple[str, str], list[tuple[Entry, int, int]]] = defaultdict(list)
    for entry, facts, _, counted in counted_decisions(history):
        numbers = history.numbers_of(entry)
        if numbers is None or not counted.complete or counted.queries_90d < numbers.rate_queries:
            continue
        if counted.hits_90d * 100 * LOW_RATE_PART < counted.queries_90d * numbers.rate_percent:
            low[facts.space_id, facts.requester.agency_id].append(
                (entry, counted.hits_90d, counted.queries_90d)
            )
    for (_, agency), found in low.items():
        _, hits, queries = found[-1]
        indices = tuple(entry.index for entry, _, _ in found)
        detail = f"{hits} hits of {queries} identifiers in the 90 days before the last of these."
        yield Finding(Anomaly.LOW_HIT_RATE, indices, detail, agency)


def _by_agency(history: History) -> dict[tuple[str, str], list[_Asked]]:
    """Admitted requests that go on from none, with what was found."""
    hits: dict[str, int] = {}
    for entry in history.entries:
        if entry.kind == RecordKind.RELEASE and entry.about is not None and entry.decisions:
            result = getattr(entry.decisions[0].facts, "result", None)
            hits[entry.about.request_digest] = 0 if result is None else result.hits
    asked: defaultdict[tuple[str, str], list[_Asked]] = defaultdict(list)
    for entry in history.entries:
        facts = entry.about
        if entry.kind == RecordKind.ADMITTED and facts is not None and not facts.goes_on:
            found = hits.get(facts.request_digest, 0)
            asked[facts.space_id, facts.requester.agency_id].append(_Asked(entry, facts, found))
    return dict(asked)


def _many_requests(asked: Sequence[_Asked]) -> Iterator[Finding]:
    for burst in _bursts(asked, DAY_SECONDS, MANY_REQUESTS):
        hits = sum(each.hits for each in burst)
        if hits * REQUESTS_PER_HIT < len(burst):
            indices = tuple(each.entry.index for each in burst)
            identifiers = sum(each.facts.identifiers for each in burst)
            detail = f"{len(burst)} requests about {identifiers} identifiers, {hits} hits."
            yield Finding(Anomaly.MANY_REQUESTS, indices, detail, burst[0].entry.agency)


def _full_batches(history: History, asked: Sequence[_Asked]) -> Iterator[Finding]:
    full = []
    for each in asked:
        numbers = history.numbers_of(each.entry)
        if numbers is not None and each.facts.identifiers * 100 >= _most(numbers, each.facts) * FULL_PERCENT:
            full.append(each)
    for burst in _bursts(full, 30 * DAY_SECONDS, FULL_BATCHES):
        indices = tuple(each.entry.index for each in burst)
        sizes = sorted({each.facts.identifiers for each in burst})
        detail = f"{len(burst)} requests within 30 days of each other, about {sizes[0]} to {sizes[-1]} identifiers."
        yield Finding(Anomaly.FULL_BATCHES, indices, detail, burst[0].entry.agency)


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
        while each.facts.now - window[0].facts.now >= seconds:
            window.popleft()
        if len(window) < least:
            continue
        if burst and burst[-1] not in window:
            yield burst
            burst = []
        last = burst[-1].entry.index if burst else -1
        burst += [one for one in window if one.entry.index > last]
    if burst:
        yield burst


def _refused_in_a_row(history: History) -> Iterator[Finding]:
    runs: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in history.entries:
        if entry.kind not in (RecordKind.ADMITTED, RecordKind.REFUSED) or entry.about is None:
            continue
        key = (entry.about.space_id, entry.about.requester.agency_id)
        if entry.kind == RecordKind.REFUSED and set(entry.rules) & set(_TOO_MANY_RULES):
            runs[key].append(entry)
        else:
            yield from _run(runs.pop(key, []))
    for run in runs.values():
        yield from _run(run)


def _run(run: Sequence[Entry]) -> Iterator[Finding]:
    if len(run) >= REFUSED_RUN:
        rules = sorted({rule for entry in run for rule in entry.rules} & set(_TOO_MANY_RULES))
        detail = f"{len(run)} refusals, by {', '.join(rules)}."
        yield Finding(Anomaly.REFUSED_IN_A_ROW, tuple(entry.index for entry in run), detail, run[0].agency)
