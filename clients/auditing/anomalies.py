"""All that is looked for in a mirrored log: one module a subject, findings in the order in which to look.

Rule: the log is read once, entry by entry, and every check keeps what it needs of those before and no entry, so that a
log of any size fits. Checks find without judging (`clients.auditing.findings`). A check that needs rules that are not
at hand is left out, and is named as left out, so that silence never passes for "nothing found".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from clients.auditing.asking import Asking
from clients.auditing.asks import Asks
from clients.auditing.budgets import Budgets
from clients.auditing.findings import Anomaly, Check, End, Finding, Known, LeftOut
from clients.auditing.mirrored import Entry
from clients.auditing.reviews import Reviews
from clients.auditing.rules_in_force import RulesInForce
from clients.auditing.steps import Steps
from clients.auditing.upkeep import Upkeep
from clients.auditing.usage import Ledger

_CHECKS: tuple[Callable[[Known], Check], ...] = (Steps, RulesInForce, Budgets, Reviews, Asking, Asks, Upkeep)


@dataclass(frozen=True)
class Looked:
    """What was found, and what was not looked for."""

    findings: tuple[Finding, ...]
    left_out: tuple[LeftOut, ...]


def look(entries: Iterable[Entry], known: Known) -> Looked:
    """Look for every anomaly. Findings come by weight, then by entry.

    Args:
        entries: the whole log in its order; consumed to its end, none of them is kept."""
    checks, ledger = [check(known) for check in _CHECKS], Ledger()
    found: list[Finding] = []
    until, missing = 0, set[str]()
    for entry in entries:
        until = entry.recorded_at
        numbers = known.numbers_of(entry)
        if entry.bundle is not None and entry.about is not None and numbers is None:
            missing.add(entry.bundle)
        decided = ledger.decided(entry)
        for check in checks:
            found += check.see(entry, decided)
        ledger.enter(entry, None if numbers is None else numbers.emergency_review_days)
    left_out: list[LeftOut] = []
    for check in checks:
        for each in check.finish(End(until, frozenset(missing))):
            if isinstance(each, Finding):
                found.append(each)
            else:
                left_out.append(each)
    order = list(Anomaly)
    found.sort(key=lambda each: (order.index(each.anomaly), each.entries))
    by_reason: dict[str, tuple[Anomaly, ...]] = {}
    for left in left_out:
        by_reason[left.reason] = by_reason.get(left.reason, ()) + left.anomalies
    return Looked(tuple(found), tuple(LeftOut(anomalies, reason) for reason, anomalies in by_reason.items()))
