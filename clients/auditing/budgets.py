"""Does what the broker decided on fit what its own log adds up to, and which agencies are near their budgets?

Rule (POLICY L10): `derived` facts are the broker's word, which key holders cannot check; the log can. A ledger that
says less was asked, less is overdue, more was found or more is left than the entries add up to lets a limit be passed,
and is named as kinder; the other way is named as stricter. Once a record was erased, only what it cannot explain is
told.

The budget of counts is compared where the pinned space document has it; a roster version with another budget shows
as a difference.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.findings import Anomaly, Counted, Decided, End, Finding, Known, LeftOut
from clients.auditing.logged import LedgerFacts
from clients.auditing.mirrored import Entry

NEAR_PERCENT = 80
"""Of the budget of identifiers: from here on an agency is named, while there is time to ask it why."""


@dataclass
class _Near:
    """The requests by which an agency came near its budget, and the nearest it came."""

    entries: list[int] = field(default_factory=list)
    used: int = 0
    limit: int = 0


class Budgets:
    """Ledgers that differ from the log, and agencies near their budgets."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._near: defaultdict[str, _Near] = defaultdict(_Near)

    def see(self, entry: Entry, decided: Decided | None) -> Iterator[Finding]:
        """A ledger that differs."""
        if decided is None:
            return
        facts, counted, space = decided.facts, decided.counted, self._known.space
        own_space = facts.space_id == space.space_id.hex()
        yield from _compare(entry, facts.derived, counted, space.count_budget_millis if own_space else None)
        numbers = self._known.numbers_of(entry)
        if numbers is not None and entry.kind == RecordKind.ADMITTED and not facts.goes_on:
            used = counted.identifiers_30d + facts.identifiers
            if used * 100 > numbers.identifiers_30d * NEAR_PERCENT:
                near = self._near[facts.requester.agency_id]
                near.entries.append(entry.index)
                if used > near.used:
                    near.used, near.limit = used, numbers.identifiers_30d

    def finish(self, end: End) -> Iterator[Finding | LeftOut]:
        """Agencies near their budgets."""
        for agency, near in self._near.items():
            detail = f"At most {near.used} of {near.limit} identifiers in 30 days."
            yield Finding(Anomaly.NEAR_BUDGET, tuple(near.entries), detail, agency)
        yield from end.unknown_rules(Anomaly.NEAR_BUDGET)


def _compare(
    entry: Entry, recorded: LedgerFacts, counted: Counted, count_budget_millis: int | None
) -> Iterator[Finding]:
    # Name: recorded, counted, and whether more of it is kinder to the agency (1) or harder on it (-1).
    differences = {
        "identifiers in 30 days": (recorded.identifiers_30d, counted.identifiers_30d, -1),
        "identifiers in 90 days": (recorded.queries_90d, counted.queries_90d, -1),
    }
    if counted.complete:
        differences["hits in 90 days"] = (recorded.hits_90d, counted.hits_90d, 1)
        # Without the rules' numbers no review counts as overdue here, so that only too few of them are told.
        overdue = min(recorded.overdue_reviews, counted.overdue_reviews)
        differences["overdue reviews"] = (overdue, counted.overdue_reviews, -1)
        if count_budget_millis is not None:
            left = max(0, count_budget_millis - counted.epsilon_millis_30d)
            differences["budget of counts left"] = (recorded.count_budget_left_millis, left, 1)

    def told(sign: int) -> str:
        return "; ".join(
            f"{name}: {said} in the decision, {added} by the log"
            for name, (said, added, direction) in differences.items()
            if (said - added) * direction * sign > 0
        )

    if told(1):
        yield Finding(Anomaly.LEDGER_KINDER, (entry.index,), told(1) + ".", entry.agency)
    if told(-1) and counted.complete:
        yield Finding(Anomaly.LEDGER_STRICTER, (entry.index,), told(-1) + ".", entry.agency)
