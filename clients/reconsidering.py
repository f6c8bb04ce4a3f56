"""What a new bundle would have made of decisions that are in the log: which would have come out otherwise.

Rule (POLICY 4): each decision is taken anew from its recorded facts alone and compared with what was recorded then. A
fact that the record lacks, since an older version wrote it, is never filled in: the decision is not decidable, and so
is one on which the new rules cannot be evaluated. Neither counts as a refusal.

It does not check that the log's own verdicts are right: that is `clients.replay`, under the bundle they name.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from broker.gate.bundle import Bundle
from broker.gate.computed import ENGINE_ERROR
from broker.gate.decide import decide_again
from broker.gate.decision import Decision
from broker.gate.facts import AdmitFacts, DepositFacts, ReleaseFacts
from broker.protocol.errors import BadInput, NarrowgateError
from broker.protocol.messages.base import Message, encode, read
from broker.protocol.messages.vocabulary import Outcome

_FACTS: Mapping[str, type[DepositFacts | AdmitFacts | ReleaseFacts]] = {
    "deposit": DepositFacts,
    "admit": AdmitFacts,
    "release": ReleaseFacts,
}


@dataclass(frozen=True)
class Side:
    """A decision as it was recorded, or as the new bundle takes it. `series` is how many it admits."""

    outcome: str
    tier: str | None
    rules: tuple[str, ...]
    series: int


@dataclass(frozen=True)
class Change:
    """A decision that comes out otherwise, by its index in the log."""

    index: int
    action: str
    before: Side
    after: Side


@dataclass(frozen=True)
class Undecidable:
    """A decision that cannot be taken under the new bundle, and why."""

    index: int
    reason: str


@dataclass(frozen=True)
class Reconsidered:
    """What became of all decisions. `otherwise`: same outcome, at another tier, for other series or by other rules."""

    decisions: int
    same: int
    allow_to_deny: tuple[Change, ...]
    deny_to_allow: tuple[Change, ...]
    otherwise: tuple[Change, ...]
    undecidable: tuple[Undecidable, ...]


def reconsider_all(bundle: Bundle, decisions: Iterable[tuple[int, str]]) -> Reconsidered:
    """Take each recorded decision under `bundle`.

    Args:
        decisions: (index in the log, canonical text) of each recorded decision.
    """
    total, changes, undecidable = 0, list[Change](), list[Undecidable]()
    for index, text in decisions:
        total += 1
        try:
            change = _reconsider(bundle, index, text)
        except NarrowgateError as error:
            undecidable.append(Undecidable(index, error.detail))
            continue
        if change is not None:
            changes.append(change)
    turned = {
        way: tuple(each for each in changes if (each.before.outcome, each.after.outcome) == way)
        for way in ((Outcome.ALLOW, Outcome.DENY), (Outcome.DENY, Outcome.ALLOW))
    }
    return Reconsidered(
        decisions=total,
        same=total - len(changes) - len(undecidable),
        allow_to_deny=turned[Outcome.ALLOW, Outcome.DENY],
        deny_to_allow=turned[Outcome.DENY, Outcome.ALLOW],
        otherwise=tuple(each for each in changes if each.before.outcome == each.after.outcome),
        undecidable=tuple(undecidable),
    )


def _reconsider(bundle: Bundle, index: int, text: str) -> Change | None:
    recorded = _recorded(text)
    again = decide_again(bundle, recorded)
    if _erred(again) and not _erred(recorded):
        raise BadInput("The new rules cannot be evaluated on the recorded facts, which is no decision.")
    before, after = _side(recorded), _side(again)
    admitted = (recorded.admitted_series, again.admitted_series)
    if before == after and admitted[0] == admitted[1]:
        return None
    return Change(index, recorded.action, before, after)


def _recorded(text: str) -> Decision:
    """A recorded decision whose facts are all there. Raises BadInput naming those that are not."""
    try:
        members = json.loads(text)
    except ValueError:
        members = None
    kind = _FACTS.get(str(members.get("action"))) if isinstance(members, dict) else None
    if kind is None:
        raise BadInput("The record holds no decision of an action that is known here.")
    facts: Message = read(kind, json.dumps(members.get("facts")).encode())
    lacking = sorted(set(_lacking(members["facts"], json.loads(encode(facts)), "")))
    if lacking:
        raise BadInput(f"The record lacks facts that decisions are taken on now: {', '.join(lacking)}.")
    return read(Decision, text.encode())


def _lacking(recorded: Any, complete: Any, place: str) -> Iterator[str]:
    """Members that were filled in when the facts were read; the names are those of the facts' own types."""
    if isinstance(complete, dict):
        for name, value in complete.items():
            here = f"{place}.{name}" if place else name
            if name not in recorded:
                yield here
            else:
                yield from _lacking(recorded[name], value, here)
    elif isinstance(complete, list):
        for each, other in zip(recorded, complete, strict=True):
            yield from _lacking(each, other, place)


def _erred(decision: Decision) -> bool:
    return any(ENGINE_ERROR in rules for rules in (decision.rules, *(each.rules for each in decision.series)))


def _side(decision: Decision) -> Side:
    return Side(decision.outcome, decision.tier, decision.rules, len(decision.admitted_series))
