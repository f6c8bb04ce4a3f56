"""All that is looked for in a mirrored log: one module a subject, findings in the order in which to look.

Rule: every check reads the same history and finds without judging (`clients.auditing.findings`). A check that needs
rules that are not at hand is left out, and is named as left out, so that silence never passes for "nothing found".
"""

from dataclasses import dataclass

from clients.auditing import asking, asks, budgets, reviews, rules_in_force, steps, upkeep
from clients.auditing.findings import Anomaly, Finding, History, LeftOut

_CHECKS = (steps.look, rules_in_force.look, budgets.look, reviews.look, asking.look, asks.look, upkeep.look)


@dataclass(frozen=True)
class Looked:
    """What was found, and what was not looked for."""

    findings: tuple[Finding, ...]
    left_out: tuple[LeftOut, ...]


def look(history: History) -> Looked:
    """Look for every anomaly. Findings come by weight, then by entry."""
    found: list[Finding] = []
    left_out: list[LeftOut] = []
    for check in _CHECKS:
        for each in check(history):
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
