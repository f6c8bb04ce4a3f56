"""Explain a decision: for each rule that refuses, which of its parts did, on what facts, and what was needed instead.

Rule (POLICY 4): an explanation is made after the decision, from the same questions, and changes nothing of it. Each
part of a rule's condition is put to the engine by itself (`engine.holding`), and the answers are read along the rule's
own && and || (`broker.gate.expressions`). Series that a rule refuses for the same reasons are told together.

What was needed for one rule may not be enough for the next: every refusing rule is told, and each must be met.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from broker.gate import engine, expressions, question, wording
from broker.gate.bundle import Bundle
from broker.gate.computed import (
    ABOVE_ADMISSION,
    COMPUTED,
    ENGINE_ERROR,
    FEW_CONTRIBUTORS,
    GATEWAY,
    LANE,
    NO_SERIES,
)
from broker.gate.decision import Decision
from broker.gate.expressions import Atom, Branch, Demand, Either, Every, Limited, Named
from broker.gate.facts import DepositFacts, ReleaseFacts
from broker.gate.question import Question
from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import Outcome, Tier

Truth = Mapping[str, bool | None]
"""For each expression, by its text: whether it holds; None where it could not be evaluated."""


@dataclass(frozen=True)
class Need:
    """What would have been needed. With `parts`: all of them or, where `either`, one of them."""

    words: str
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """The facts that were read for it, by their names in the schema."""
    either: bool = False
    parts: tuple["Need", ...] = ()
    evaluated: bool = True
    """False where the engine could not evaluate the part on these facts."""


@dataclass(frozen=True)
class Ground:
    """Why a rule refuses, for all series for which the reasons are the same. Deposits have no series."""

    circumstances: tuple[str, ...]
    need: Need
    series: tuple[bytes, ...]


@dataclass(frozen=True)
class Refusing:
    """One refusing rule with its reason and law, and its grounds."""

    rule: str
    reason: str
    law: str
    grounds: tuple[Ground, ...]


@dataclass(frozen=True)
class Explanation:
    """A decision and every rule that refused it, or one of its series."""

    decision: Decision
    refusing: tuple[Refusing, ...]


def explain(bundle: Bundle, decision: Decision) -> Explanation:
    """Explain a decision that was taken under `bundle`. Raises BadInput for one that was not."""
    if decision.bundle_digest != bundle.digest:
        raise BadInput("This decision was taken under another bundle of rules. Explain it with that one.")
    asked = [each for each in _asked(bundle, decision) if each.rules]
    said = zip(decision.rules, decision.reasons, decision.law, strict=True)
    reasons = {rule: (reason, law) for rule, reason, law in said} if not decision.allowed else {}
    for rule in (rule for each in asked for rule in each.rules):
        written = bundle.rules.get(rule)
        reasons.setdefault(rule, COMPUTED[rule] if written is None else (written.reason, written.law))
    return Explanation(
        decision,
        tuple(
            Refusing(rule, reason, law, _grounds(bundle, decision, rule, asked))
            for rule, (reason, law) in reasons.items()
        ),
    )


@dataclass(frozen=True)
class _Asked:
    """One question and the rules that refused it."""

    series: tuple[bytes, ...]
    question: Question
    rules: tuple[str, ...]
    gateways: tuple[str, ...]


def _asked(bundle: Bundle, decision: Decision) -> Iterator[_Asked]:
    facts = decision.facts
    if isinstance(facts, DepositFacts):
        rules = () if decision.allowed else decision.rules
        yield _Asked((), question.about_deposit(bundle, facts), rules, _gateways(decision.missed))
        return
    released = facts if isinstance(facts, ReleaseFacts) else None
    admitted = facts.admitted if isinstance(facts, ReleaseFacts) else facts
    for series, verdict in zip(admitted.series, decision.series, strict=True):
        about = question.about_series(
            bundle, decision.action, admitted, series, decision.tier or Tier.PAYLOAD, released
        )
        rules = verdict.rules if verdict.outcome is Outcome.DENY else ()
        yield _Asked((series.series_id,), about, rules, _gateways(verdict.missed))


def _gateways(missed: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.partition(",")[0] for line in missed))


def _grounds(bundle: Bundle, decision: Decision, rule: str, asked: Sequence[_Asked]) -> tuple[Ground, ...]:
    found: list[Ground] = []
    for each in asked:
        if rule not in each.rules:
            continue
        ground = _ground(bundle, decision, rule, each)
        same = next((one for one in found if _same(one, ground)), None)
        if ground is None:
            continue  # the rule refuses another series, and with it the one answer over all of them
        if same is not None:
            found.remove(same)
            ground = Ground(same.circumstances, same.need, same.series + each.series)
        found.append(ground)
    if not found and rule in COMPUTED:
        found.append(Ground((), _computed(bundle, decision, rule, None), ()))
    return tuple(found)


def _same(one: Ground, other: Ground | None) -> bool:
    return other is not None and (one.circumstances, one.need) == (other.circumstances, other.need)


def _ground(bundle: Bundle, decision: Decision, rule: str, asked: _Asked) -> Ground | None:
    if rule in COMPUTED:
        return Ground((), _computed(bundle, decision, rule, asked), asked.series)
    return why(bundle, rule, asked.question, asked.series)


def why(bundle: Bundle, rule: str, asked: Question, series: tuple[bytes, ...] = ()) -> Ground | None:
    """Why a forbid of the bundle refuses a question of an action that it is about; None when it does not."""
    refusal = expressions.refusal(bundle.syntax[rule])
    truth = _truth(bundle, asked, (*refusal.applies, refusal.asked))
    need = _unmet(refusal.asked, truth, asked)
    if need is None or any(_unmet(each, truth, asked) is not None for each in refusal.applies):
        return None
    circumstances = [line for each in refusal.applies for line in _held(each, truth, asked)]
    return Ground(tuple(dict.fromkeys(circumstances)), need, series)


def _truth(bundle: Bundle, asked: Question, demands: Sequence[Demand]) -> Truth:
    bodies = {_key(body): body for each in demands for body in expressions.atoms(each)}
    return dict(zip(bodies, engine.holding(bundle, asked, list(bodies.values())), strict=True))


def _key(body: expressions.Syntax) -> str:
    return json.dumps(body, sort_keys=True)


def _unmet(asked: Demand, truth: Truth, about: Question) -> Need | None:
    """What of a demand is not met; None when it is met."""
    match asked:
        case Atom():
            return _unmet_atom(asked, truth, about)
        case Named():
            need = _unmet(asked.demand, truth, about)
            return None if need is None else Need(asked.words, parts=(need,), evaluated=need.evaluated)
        case Branch():
            test = _unmet(asked.test, truth, about)
            if test is not None and not test.evaluated:
                return test
            return _unmet(asked.then if test is None else asked.otherwise, truth, about)
        case Limited():
            unheld = [_unmet(each, truth, about) for each in asked.circumstances]
            known = [each for each in unheld if each is not None]
            if known:
                return None if known[0].evaluated else known[0]
            need = _unmet(asked.asked, truth, about)
            said = [line for each in asked.circumstances for line in _held(each, truth, about)]
            if need is None or not said:
                return need
            return Need(f"where {' and '.join(dict.fromkeys(said))}", parts=(need,), evaluated=need.evaluated)
        case Every():
            return _joined([_unmet(each, truth, about) for each in asked.parts], either=False)
        case Either():
            needs = [_unmet(each, truth, about) for each in asked.parts]
            if not needs:
                return Need("nothing: the rule refuses whatever the facts are")
            return None if None in needs else _joined(needs, either=True)


def _unmet_atom(asked: Atom, truth: Truth, about: Question) -> Need | None:
    holds = truth[_key(asked.body)]
    if holds is asked.wanted:
        return None
    facts = wording.facts_of(asked.body, about)
    if holds is None:
        return Need(f"to be decidable: {wording.as_written(asked.body)}", facts, evaluated=False)
    return Need(wording.asked_for(asked.body, asked.wanted, about), facts)


def _joined(needs: Sequence[Need | None], *, either: bool) -> Need | None:
    unmet = [each for each in needs if each is not None]
    # A part that cannot be evaluated stands behind another that does not hold, such as a fact that is missing.
    told = [each for each in unmet if each.evaluated] or unmet
    if len(told) < 2:
        return told[0] if told else None
    return Need("one of" if either else "all of", either=either, parts=tuple(told))


def _held(asked: Demand, truth: Truth, about: Question) -> Iterator[str]:
    """The circumstances under which a rule applies, in words: of a demand that is met, the parts that are."""
    match asked:
        case Atom():
            holds = truth[_key(asked.body)]
            said = wording.circumstance(asked.body, holds, about) if holds is asked.wanted else ""
            if said:
                yield said
        case Every() | Either():
            for part in asked.parts:
                if _unmet(part, truth, about) is None:
                    yield from _held(part, truth, about)
        case Limited():
            for part in (*asked.circumstances, asked.asked):
                yield from _held(part, truth, about)
        case Branch():
            met = _unmet(asked.test, truth, about) is None
            yield from _held(asked.then if met else asked.otherwise, truth, about)
        case Named():
            yield from _held(asked.demand, truth, about)


def _computed(bundle: Bundle, decision: Decision, rule: str, asked: _Asked | None) -> Need:
    if rule == GATEWAY and asked is not None:
        return _open_gateway(bundle, asked)
    if rule == ENGINE_ERROR and asked is not None:
        erred = engine.erring(bundle, asked.question)
        named = f"rule {', '.join(erred)}" if erred else "the question, which must fit the schema,"
        return Need(f"{named} to be evaluated without an error")
    if rule == LANE and asked is not None:
        depositor, reader = asked.question.fact(("resource", "contributorKind")), _asking_kind(decision)
        return Need(f"a lane from {depositor} to {reader} in lanes.toml")
    least = bundle.limits.count_contributors
    return {
        NO_SERIES: Need("at least one open series of a type that is asked about"),
        FEW_CONTRIBUTORS: Need(f"contributors other than the requester: at least {least} that could answer"),
        ABOVE_ADMISSION: Need("a result at the tier that was admitted, or below"),
    }.get(rule, Need(COMPUTED[rule][0]))


def _asking_kind(decision: Decision) -> str:
    facts = decision.facts
    if isinstance(facts, DepositFacts):
        return facts.contributor.kind
    return (facts.admitted if isinstance(facts, ReleaseFacts) else facts).requester.kind


def _open_gateway(bundle: Bundle, asked: _Asked) -> Need:
    ways = []
    for gateway in asked.gateways:
        clauses = expressions.clauses(bundle.syntax[gateway])
        need = _unmet(clauses, _truth(bundle, asked.question, (clauses,)), asked.question)
        if need is not None:
            ways.append(Need(f"{gateway}, {bundle.rules[gateway].reason.rstrip('.')}", parts=(need,)))
    if len(ways) == 1:
        return ways[0]
    return Need("one of these gateways" if ways else "a gateway", either=True, parts=tuple(ways))
