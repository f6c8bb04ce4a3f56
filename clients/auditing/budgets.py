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

from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.findings import Anomaly, Finding, History, LeftOut
from clients.auditing.logged import LedgerFacts
from clients.auditing.mirrored import Entry
from clients.auditing.usage import Counted, counted_decisions

NEAR_PERCENT = 80
"""Of the budget of identifiers: from here on an agency is named, while there is time to ask it why."""


def look(history: History) -> Iterator[Finding | LeftOut]:
    """Ledgers that differ from the log, and agencies near their budgets."""
    near: defaultdict[str, list[tuple[Entry, int, int]]] = defaultdict(list)
    for entry, facts, recorded, counted in counted_decisions(history):
        own_space = facts.space_id == history.space.space_id.hex()
        budget = history.space.count_budget_millis if own_space else None
        yield from _compare(entry, recorded, counted, budget)
        numbers = history.numbers_of(entry)
        if numbers is not None and entry.kind == RecordKind.ADMITTED and not facts.goes_on:
            used = counted.identifiers_30d + facts.identifiers
            if used * 100 > numbers.identifiers_30d * NEAR_PERCENT:
                near[facts.requester.agency_id].append((entry, used, numbers.identifiers_30d))
    for agency, over in near.items():
        _, used, limit = max(over, key=lambda each: each[1])
        indices = tuple(entry.index for entry, _, _ in over)
        detail = f"At most {used} of {limit} identifiers in 30 days."
        yield Finding(Anomaly.NEAR_BUDGET, indices, detail, agency)
    yield from history.unknown_rules(Anomaly.NEAR_BUDGET)


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
