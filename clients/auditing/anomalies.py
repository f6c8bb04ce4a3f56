"""All that is looked for in a mirrored log: one module a subject, findings in the order in which to look.

Rule: the log is read once, entry by entry, and every check keeps what it needs of those before and no entry, so that a
log of any size fits. Checks find without judging (`clients.auditing.findings`). A check that needs rules that are not
at hand, or a record that was erased, is left out or incomplete, and is named as left out, so that silence never passes
for "nothing found": else a broker that erases one record would blind a check for the whole log.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.asking import Asking
from clients.auditing.asks import Asks
from clients.auditing.budgets import Budgets
from clients.auditing.contests import Contests
from clients.auditing.findings import Anomaly, Check, End, Finding, Known, LeftOut
from clients.auditing.mirrored import Entry
from clients.auditing.retractions import RetractionsCheck
from clients.auditing.reviews import Reviews
from clients.auditing.rules_in_force import RulesInForce
from clients.auditing.steps import Steps
from clients.auditing.upkeep import Upkeep
from clients.auditing.usage import Ledger

_CHECKS: tuple[Callable[[Known], Check], ...] = (
    Steps,
    RulesInForce,
    Budgets,
    Reviews,
    Asking,
    Asks,
    Contests,
    RetractionsCheck,
    Upkeep,
)
_LEDGER = (Anomaly.LEDGER_KINDER, Anomaly.LEDGER_STRICTER)
_UNSEEN: Mapping[str, tuple[Anomaly, ...]] = MappingProxyType(
    {
        RecordKind.ADMITTED: (
            Anomaly.RELEASE_WITHOUT_ADMISSION,
            Anomaly.OTHER_ADMISSION,
            Anomaly.ADMITTED_TWICE,
            Anomaly.OTHER_RULES,
            *_LEDGER,
            Anomaly.NEAR_BUDGET,
            Anomaly.LOW_HIT_RATE,
            Anomaly.MANY_REQUESTS,
            Anomaly.FULL_BATCHES,
        ),
        RecordKind.REFUSED: (Anomaly.OTHER_RULES, *_LEDGER, Anomaly.REFUSED_IN_A_ROW),
        RecordKind.TOKENS: (Anomaly.RELEASE_WITHOUT_TOKENS, Anomaly.TOKENS_TWICE),
        RecordKind.RELEASE: (
            Anomaly.DISCLOSED_UNDECIDED,
            Anomaly.DISCLOSED_THOUGH_REFUSED,
            Anomaly.RELEASE_WITHOUT_ADMISSION,
            Anomaly.RELEASE_WITHOUT_TOKENS,
            Anomaly.OTHER_ADMISSION,
            Anomaly.RELEASE_TWICE,
            Anomaly.OPEN_RELEASE,
            Anomaly.OTHER_RULES,
            *_LEDGER,
            Anomaly.REVIEW_OVERDUE,
            Anomaly.LOW_HIT_RATE,
        ),
        RecordKind.RELEASED: (
            Anomaly.DISCLOSED_UNDECIDED,
            Anomaly.DISCLOSED_THOUGH_REFUSED,
            Anomaly.CLOSED_TWICE,
            Anomaly.OPEN_RELEASE,
            *_LEDGER,
            Anomaly.REVIEW_OVERDUE,
        ),
        RecordKind.FAILED: (Anomaly.DISCLOSED_UNDECIDED, Anomaly.CLOSED_TWICE, Anomaly.OPEN_RELEASE),
        RecordKind.EMERGENCY_REVIEWED: (*_LEDGER, Anomaly.REVIEW_NOT_JUSTIFIED, Anomaly.REVIEW_OVERDUE),
        RecordKind.RELEASE_ASKED: (Anomaly.SILENT_CONTRIBUTOR,),
        RecordKind.RELEASE_ANSWERED: (Anomaly.SILENT_CONTRIBUTOR,),
        RecordKind.BUNDLE_ACTIVATED: (Anomaly.OTHER_RULES, Anomaly.CONTEST_UNDECIDED),
        RecordKind.LOG_KEY_ROTATED: (Anomaly.LOG_KEY_LOST,),
        RecordKind.DEPOSIT_ADMITTED: (Anomaly.OTHER_RULES,),
        RecordKind.DEPOSIT_REFUSED: (Anomaly.OTHER_RULES,),
        RecordKind.CONTEST_STATED: (Anomaly.CONTEST_UNDECIDED, Anomaly.RETRACTION_UNNOTICED),
        RecordKind.RETRACTION_NOTICED: (Anomaly.RETRACTION_UNNOTICED, Anomaly.RETRACTION_OVERDUE),
        RecordKind.RETRACTION_ACKNOWLEDGED: (Anomaly.RETRACTION_OVERDUE,),
        RecordKind.DEPOSIT_WITHDRAWN: (Anomaly.RETRACTION_UNNOTICED,),
        RecordKind.SERIES_WITHDRAWN: (Anomaly.RETRACTION_UNNOTICED,),
        RecordKind.RECORDS_WITHDRAWN: (Anomaly.ROOT_NUMBERS, Anomaly.RETRACTION_UNNOTICED),
        RecordKind.RECORDS_REPLACED: (Anomaly.ROOT_NUMBERS,),
    }
)
"""What an erased record of a kind may hide, in this entry or in others."""


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
    until, missing, erased = 0, set[str](), defaultdict[str, list[int]](list)
    for entry in entries:
        until = entry.recorded_at
        if entry.record is None:
            erased[entry.kind].append(entry.index)
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
    left_out += _hidden(erased)
    order = list(Anomaly)
    found.sort(key=lambda each: (order.index(each.anomaly), each.entries))
    by_reason: dict[str, tuple[Anomaly, ...]] = {}
    for left in left_out:
        by_reason[left.reason] = by_reason.get(left.reason, ()) + left.anomalies
    return Looked(tuple(found), tuple(LeftOut(anomalies, reason) for reason, anomalies in by_reason.items()))


def _hidden(erased: Mapping[str, Sequence[int]]) -> Iterator[LeftOut]:
    """What the erased records may hide."""
    for kind, indices in erased.items():
        if kind in _UNSEEN:
            told = ", ".join(map(str, indices))
            reason = f"It is incomplete: records of the kind {kind} were erased, at {told}."
            yield LeftOut(_UNSEEN[kind], reason)
