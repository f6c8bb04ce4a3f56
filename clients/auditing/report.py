"""A transparency report for the public: what one space was asked in a period, on what grounds, and what was answered.

Rule (issue 5): counts of decisions and nothing below them, so never a case, officer, request or identifier. Small cells
are withheld (`clients.auditing.small_cells`), the agencies of one kind against the sum of their kind. A list that is
part of another number is told only where that number is. Nothing of the last `DELAY_DAYS` before the mirror's last
entry, or before the auditor's own time where that is earlier, is told, as DESIGN 5 asks of public reports, so that no
report betrays an investigation under way. There are no tables of two headings: each of their cells would have to be
guarded against both.

It writes no text: see `clients.auditing.report_text` and `clients.auditing.report_page`.
"""

import itertools
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from broker.protocol.errors import BadInput
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing import small_cells
from clients.auditing.findings import DAY_SECONDS
from clients.auditing.logged import Agency, Found, RequestFacts
from clients.auditing.mirrored import Entry
from clients.auditing.small_cells import LEAST

DELAY_DAYS = 30
MEDIAN_OF = 2 * LEAST
QUARTILES_OF = 4 * LEAST
"""Answers below which a median, and quartiles, are not told: beyond each of them lie at least `LEAST` answers."""
NOT_VERIFIED = "none verified"
NEVER_ADMITTED = "others, under which nothing was admitted"
"""An instrument is a word that people write; one that the rules know let something pass, and can be printed."""
DECIDED = {RecordKind.ADMITTED.value: "admitted", RecordKind.REFUSED.value: "refused"}
ANSWERS = ("disclosed", "refused on the result", "not answered in the period")
TAKEN_BACK = {
    RecordKind.SERIES_WITHDRAWN.value: "whole series withdrawn",
    RecordKind.DEPOSIT_WITHDRAWN.value: "deposits withdrawn",
    RecordKind.RECORDS_WITHDRAWN.value: "some records withdrawn",
    RecordKind.RECORDS_REPLACED.value: "some records replaced",
}


@dataclass(frozen=True)
class Row:
    """One line of a list. `explanation` is a rule's reason and law, or an agency's name and kind."""

    name: str
    number: int
    explanation: str = ""


@dataclass(frozen=True)
class Listing:
    """One list of counts. `withheld` says that lines are; `total` is None where it is withheld, or where lines overlap
    and have no sum."""

    key: str
    title: str
    rows: tuple[Row, ...]
    withheld: bool
    total: int | None
    note: str = ""


@dataclass(frozen=True)
class Hours:
    """From filing to answer, in hours. None where too few answers were given to tell."""

    lower_quartile: float | None
    median: float | None
    upper_quartile: float | None


@dataclass(frozen=True)
class Report:
    """The report. Times are Unix seconds; `until` is left out of the period."""

    space: str
    log_origin: str
    since: int
    until: int
    asked_until: int
    """Up to when the report was asked for; later than `until` where the delay cut it short."""
    log_size: int
    log_root: bytes
    listings: tuple[Listing, ...]
    hours: Hours
    epsilon_millis: int | None = None
    """Of a report with noise (`clients.auditing.noised`), in thousandths; None where the numbers are exact."""
    for_publication: bool = True
    """False of days that another report may share (`clients.published`)."""


def make(
    entries: Iterable[Entry],
    space: Space,
    size: int,
    root: bytes,
    since: int,
    until: int,
    now: int,
    noised: "Noised | None" = None,
) -> Report:
    """Count the entries of `space` from `since` up to, not including, `until`.

    Args:
        entries: the whole mirrored log, of `size` entries under `root`; consumed to its end.
        now: the auditor's time, Unix seconds: entries have the broker's, and one dated ahead must not end the delay.
        noised: epsilon in thousandths, and what makes lists with noise of the period's entries; None for exact numbers.

    Raises BadInput for a period that is empty, or within the delay; or what taking the entries raises."""
    own, last, kept = space.space_id.hex(), 0, list[Told]()
    for entry in entries:
        last = entry.recorded_at
        if since <= entry.recorded_at < until and _space_of(entry) == own:
            kept.append(kept_of(entry))
    known_until = max(0, min(last, now) - DELAY_DAYS * DAY_SECONDS)
    # Whole days: the second at which the last entry was written is nobody's business.
    end = min(until, known_until - known_until % DAY_SECONDS)
    if since >= until:
        raise BadInput("The period of the report is empty: --since is a day before --until.")
    if since >= end:
        raise BadInput(
            f"Nothing of the last {DELAY_DAYS} days before the mirror's last entry is reported, and the period begins "
            "within them. Choose an earlier one, or verify the log again later."
        )
    inside = [each for each in kept if each.recorded_at < end]
    listings = (*_requests(inside, space), *_deposits(inside)) if noised is None else noised[1](inside)
    return Report(
        space=space.name,
        log_origin=space.log_origin,
        since=since,
        until=end,
        asked_until=until,
        log_size=size,
        log_root=root,
        listings=listings,
        # No noise is made for a median.
        hours=_hours(inside) if noised is None else Hours(None, None, None),
        epsilon_millis=None if noised is None else noised[0],
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What is kept of an entry of the period: a hundredth of the whole, so that a report of any log fits.

    `ruled` are the rules that decided, each with its reason and law."""

    kind: str
    recorded_at: int
    about: RequestFacts | None
    depositor: Agency | None
    rules: tuple[str, ...]
    ruled: tuple[tuple[str, str, str], ...]


Noised = tuple[int, Callable[[Sequence[Told]], tuple[Listing, ...]]]


def kept_of(entry: Entry) -> Told:
    """What a report keeps of an entry."""
    ruled = tuple(
        rule
        for decision in entry.decisions
        for rule in zip(decision.rules, decision.reasons, decision.law, strict=False)
    )
    return Told(entry.kind, entry.recorded_at, entry.about, entry.depositor, entry.rules, ruled)


def _space_of(entry: Entry) -> str | None:
    if entry.about is not None:
        return entry.about.space_id
    return None if entry.record is None else entry.record.space_id


def _requests(inside: Sequence[Told], space: Space) -> list[Listing]:
    decided = [each for each in inside if each.kind in DECIDED and each.about is not None]
    outcomes = Counter(DECIDED[each.kind] for each in decided)
    told = small_cells.suppress(outcomes).cells
    listings = [
        _listing("outcomes", "Requests decided", outcomes),
        *_agencies(decided, {each.agency_id: each.name for each in space.members}),
        _listing("instruments", "By legal instrument, as verified", _instruments(decided)),
        _listing("tiers", "By tier asked for", Counter(each.about.tier for each in decided if each.about)),
    ]
    # Parts of a number that is withheld would add up to it.
    if "admitted" in told:
        admitted = [each for each in decided if DECIDED[each.kind] == "admitted"]
        listings.append(_rules("gateways", "Admitted, by the gateway that opened", admitted))
        listings.append(_listing("answers", "What became of admitted requests", answers(inside, admitted)))
    if "refused" in told:
        refused = [each for each in decided if DECIDED[each.kind] == "refused"]
        listings.append(_rules("refusals", "Refused, by rule", refused))
    return listings


def _agencies(decided: Sequence[Told], names: Mapping[str, str]) -> list[Listing]:
    """By kind, and within each kind that is told by agency, so that a kind's sum gives no agency of it away."""
    asking = [each.about.requester for each in decided if each.about is not None]
    kinds = Counter(each.kind for each in asking)
    told_kinds = small_cells.suppress(kinds)
    rows: list[Row] = []
    withheld = False
    for kind in sorted(kinds):
        agencies = Counter(each.agency_id for each in asking if each.kind == kind)
        told = (
            small_cells.suppress(agencies) if kind in told_kinds.cells else small_cells.nothing_of(agencies)
        )
        rows += [
            Row(name, number, f"{names[name]}, {kind}" if name in names else kind)
            for name, number in told.cells.items()
        ]
        withheld = withheld or told.withheld
    by_agency = Listing("agencies", "By agency that asked", tuple(rows), withheld, told_kinds.total)
    return [_listing("agency_kinds", "By kind of agency that asked", kinds), by_agency]


def _instruments(decided: Sequence[Told]) -> Counter[str]:
    named = [(each.kind, each.about.verified) for each in decided if each.about is not None]
    known = {found.basis.instrument for kind, found in named if found and kind == RecordKind.ADMITTED}

    def name(found: Found | None) -> str:
        if found is None:
            return NOT_VERIFIED
        return found.basis.instrument if found.basis.instrument in known else NEVER_ADMITTED

    return Counter(name(found) for _, found in named)


def answers(inside: Sequence[Told], admitted: Sequence[Told]) -> Counter[str]:
    """What became of admitted requests in the period, in `ANSWERS`."""
    closed = {each.about.request_digest: each.kind for each in _closing(inside) if each.about is not None}
    words = {RecordKind.RELEASED.value: ANSWERS[0], RecordKind.FAILED.value: ANSWERS[1]}
    return Counter(
        words.get(closed.get(each.about.request_digest, ""), ANSWERS[2])
        for each in admitted
        if each.about is not None
    )


def _closing(inside: Sequence[Told]) -> list[Told]:
    return [each for each in inside if each.kind in (RecordKind.RELEASED, RecordKind.FAILED)]


def _rules(key: str, title: str, decided: Sequence[Told]) -> Listing:
    """How often each rule decided, with its reason and law in the words of the rules that were in force last."""
    words: dict[str, str] = {}
    for rule, reason, law in itertools.chain.from_iterable(each.ruled for each in decided):
        words[rule] = f"{reason} ({law})"
    counts = Counter(rule for each in decided for rule in each.rules)
    told = small_cells.suppress(counts)
    rows = tuple(Row(name, number, words.get(name, "")) for name, number in told.cells.items())
    note = "More than one rule may decide a request, so there is no sum."
    return Listing(key, title, rows, told.withheld, None, note)


def _hours(inside: Sequence[Told]) -> Hours:
    """Of the answers given in the period to requests filed in it."""
    filed = {
        each.about.request_digest: each.recorded_at
        for each in inside
        if each.kind == RecordKind.ADMITTED and each.about is not None
    }
    taken = [
        (each.recorded_at - filed[each.about.request_digest]) / 3600
        for each in _closing(inside)
        if each.about is not None and each.about.request_digest in filed
    ]
    return hours_taken(taken)


def hours_taken(taken: Sequence[float]) -> Hours:
    """Median and quartiles of hours, where enough answers lie beyond each."""
    median = round(statistics.median(taken), 1) if len(taken) >= MEDIAN_OF else None
    if len(taken) < QUARTILES_OF:
        return Hours(None, median, None)
    lower, _, upper = statistics.quantiles(taken, n=4, method="inclusive")
    return Hours(round(lower, 1), median, round(upper, 1))


def _deposits(inside: Sequence[Told]) -> list[Listing]:
    admitted = [each for each in inside if each.kind == RecordKind.DEPOSIT_ADMITTED]
    refused = sum(each.kind == RecordKind.DEPOSIT_REFUSED for each in inside)
    kinds = Counter(each.depositor.kind for each in admitted if each.depositor is not None)
    taken_back = Counter(TAKEN_BACK[each.kind] for each in inside if each.kind in TAKEN_BACK)
    return [
        _listing("deposits", "Deposits admitted, by kind of contributor", kinds),
        _listing("deposits_refused", "Deposits refused", Counter({"refused": refused})),
        _listing("withdrawals", "What contributors took back or replaced", taken_back),
    ]


def _listing(key: str, title: str, counts: Counter[str]) -> Listing:
    told = small_cells.suppress(counts)
    rows = tuple(Row(name, number) for name, number in told.cells.items())
    return Listing(key, title, rows, told.withheld, told.total)
