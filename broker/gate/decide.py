"""Decide: the three actions, each a pure function of bundle and facts; and decide again from a record.

Rule: default deny. Cedar is asked for each series; what it cannot count (contributors, budgets of privacy) is counted
here, from facts, and named by its rule. Below the tier `sources` a request that fewer than three contributors could
answer is decided as `sources` (L21); a count too small or without budget is decided as `hits` (L15). A series that only
its own conditions refuse is left out; the request is refused when none is left.
"""

from collections.abc import Iterable, Sequence

from broker.gate import engine, question
from broker.gate.bundle import Bundle
from broker.gate.computed import ABOVE_ADMISSION, COMPUTED, FEW_CONTRIBUTORS, GATEWAY, LANE, NO_SERIES
from broker.gate.decision import Action, Decision, SeriesVerdict
from broker.gate.facts import AdmitFacts, DepositFacts, Party, ReleaseFacts, SeriesFacts
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import Message, decode, read
from broker.protocol.messages.vocabulary import Outcome, Tier

__all__ = [
    "COMPUTED",
    "Case",
    "Decision",
    "Expected",
    "decide_admission",
    "decide_again",
    "decide_case",
    "decide_deposit",
    "decide_release",
    "decide_text",
    "replay",
]

_TIERS = tuple(Tier)
_NAMES_NOBODY = (Tier.COUNT, Tier.HITS)
"""Below `sources`, an answer hides its contributors among one another."""


class Expected(Message):
    """What a scenario's author expects of the rules."""

    outcome: Outcome
    tier: Tier | None
    rules: tuple[str, ...]


class Case(Message):
    """Facts as a person writes them: of one action, and for a release the tier it would leave at.

    A scenario (policies/scenarios/) is a case with its story and what is expected of it."""

    story: str | None = None
    expected: Expected | None = None
    deposit: DepositFacts | None = None
    admit: AdmitFacts | None = None
    release: ReleaseFacts | None = None
    tier: Tier | None = None


def decide_deposit(bundle: Bundle, facts: DepositFacts) -> Decision:
    """May this contributor make this deposit?"""
    asked = question.about_deposit(bundle, facts)
    verdict = engine.ask(bundle, asked.action, asked.entities, asked.context)
    outcome = Outcome.ALLOW if verdict.allowed else Outcome.DENY
    rules = verdict.rules or (GATEWAY,)
    return _decision(bundle, "deposit", facts, outcome, None, rules, _needs(bundle, verdict.missed), (), ())


def decide_admission(bundle: Bundle, facts: AdmitFacts) -> Decision:
    """May this request be put to holders, and to which series?"""
    tier, notes = _count_or_hits(bundle, facts)
    verdicts = _ask_each(bundle, "admit", facts, tier)
    open_to = [one for one, said in zip(facts.series, verdicts, strict=True) if said.outcome is Outcome.ALLOW]
    few = tier in _NAMES_NOBODY and _too_few(bundle, facts.requester, open_to)
    if few:
        tier, notes = Tier.SOURCES, (*notes, COMPUTED[FEW_CONTRIBUTORS][0])
        verdicts = _ask_each(bundle, "admit", facts, tier)
    return _of_series(bundle, "admit", facts, tier, verdicts, notes, (FEW_CONTRIBUTORS,) if few else ())


def decide_release(bundle: Bundle, facts: ReleaseFacts, tier: Tier) -> Decision:
    """May this result leave at `tier`, now that it is known?

    `facts.admitted.series` are those that were searched. Below `sources` the result is one answer over all of them, so
    whatever refuses one of them refuses it; from `sources` on each is told apart, and leaves by itself or not."""
    verdicts = _ask_each(bundle, "release", facts.admitted, tier, facts)
    denied = {rule for one in verdicts if one.outcome is Outcome.DENY for rule in one.rules}
    refusing = denied if tier in _NAMES_NOBODY else set()
    if tier in _NAMES_NOBODY and _too_few(bundle, facts.admitted.requester, facts.admitted.series):
        refusing.add(FEW_CONTRIBUTORS)
    if not refusing and _TIERS.index(tier) > _TIERS.index(_highest(bundle, facts.admitted)):
        refusing.add(ABOVE_ADMISSION)
    if refusing:
        verdicts = tuple(
            SeriesVerdict(
                series_id=one.series_id,
                outcome=Outcome.DENY,
                rules=one.rules if one.outcome is Outcome.DENY else tuple(sorted(refusing)),
                missed=one.missed,
            )
            for one in verdicts
        )
    some_leave = any(one.outcome is Outcome.ALLOW for one in verdicts)
    left_out = sorted(denied) if some_leave else []
    notes = [f"{rule}: one or more contributors are left out. {_said(bundle, rule)[0]}" for rule in left_out]
    return _of_series(bundle, "release", facts, tier, verdicts, notes, sorted(refusing))


def decide_text(bundle: Bundle, text: bytes) -> Decision:
    """Decide on facts as a person wrote them, see `Case`. Raises BadInput."""
    return decide_case(bundle, read(Case, text))


def decide_case(bundle: Bundle, case: Case) -> Decision:
    """Decide on the facts of a case; what it expects is not looked at. Raises BadInput when it has none or several."""
    if [case.deposit, case.admit, case.release].count(None) != 2:
        raise BadInput("Give the facts of one action: deposit, admit or release.")
    if case.deposit is not None:
        return decide_deposit(bundle, case.deposit)
    if case.admit is not None:
        return decide_admission(bundle, case.admit)
    if case.release is not None and case.tier is not None:
        return decide_release(bundle, case.release, case.tier)
    raise BadInput(
        'Give facts as {"deposit": {...}}, {"admit": {...}} or {"release": {...}, "tier": "hits"}.'
    )


def replay(bundle: Bundle, text: str) -> Decision:
    """Decide again from the facts in a recorded decision; its verdict is not read.

    Raises BadInput for another bundle's decision, VerificationFailed when the digest differs."""
    recorded = decode(Decision, text.encode())
    if recorded.bundle_digest != bundle.digest:
        raise BadInput("This decision was taken under another bundle of rules. Replay it with that one.")
    again = decide_again(bundle, recorded)
    if again.text != text:
        raise VerificationFailed("The recorded decision is not what these rules come to on its facts.")
    return again


def decide_again(bundle: Bundle, recorded: Decision) -> Decision:
    """Decide on the facts of `recorded` under `bundle`, whatever bundle it was taken under."""
    facts = recorded.facts
    if recorded.action == "deposit" and isinstance(facts, DepositFacts):
        return decide_deposit(bundle, facts)
    if recorded.action == "admit" and isinstance(facts, AdmitFacts):
        return decide_admission(bundle, facts)
    if recorded.action == "release" and isinstance(facts, ReleaseFacts) and recorded.tier is not None:
        return decide_release(bundle, facts, recorded.tier)
    raise VerificationFailed("The recorded decision's facts are not those of its action.")


def _count_or_hits(bundle: Bundle, facts: AdmitFacts) -> tuple[Tier, tuple[str, ...]]:
    if facts.tier is not Tier.COUNT:
        return facts.tier, ()
    if facts.identifiers < bundle.limits.count_least_identifiers:
        return Tier.HITS, ("L15: a count about so few identifiers is decided as hits.",)
    if facts.derived.count_cost_millis > facts.derived.count_budget_left_millis:
        return Tier.HITS, ("L15: the budget for counts is spent, so this is decided as hits.",)
    return Tier.COUNT, ()


def _highest(bundle: Bundle, admitted: AdmitFacts) -> Tier:
    """The tier the request was admitted at: no result of it may tell more."""
    tier = _count_or_hits(bundle, admitted)[0]
    few = _too_few(bundle, admitted.requester, admitted.series)
    return Tier.SOURCES if few and tier in _NAMES_NOBODY else tier


def _ask_each(
    bundle: Bundle, action: Action, facts: AdmitFacts, tier: Tier, released: ReleaseFacts | None = None
) -> tuple[SeriesVerdict, ...]:
    return tuple(_ask(bundle, action, facts, series, tier, released) for series in facts.series)


def _ask(
    bundle: Bundle,
    action: Action,
    facts: AdmitFacts,
    series: SeriesFacts,
    tier: Tier,
    released: ReleaseFacts | None,
) -> SeriesVerdict:
    asked = question.about_series(bundle, action, facts, series, tier, released)
    verdict = engine.ask(bundle, action, asked.entities, asked.context)
    lane = question.lane(bundle, facts.requester, series)
    outcome = Outcome.ALLOW if verdict.allowed else Outcome.DENY
    rules = verdict.rules if verdict.allowed or lane else tuple(sorted({*verdict.rules, LANE}))
    missed = [clause for clause in verdict.missed if clause.partition("/")[0] in lane]
    return SeriesVerdict(
        series_id=series.series_id,
        outcome=outcome,
        rules=rules or (GATEWAY,),
        missed=_needs(bundle, missed),
    )


def _too_few(bundle: Bundle, requester: Party, held: Sequence[SeriesFacts]) -> bool:
    """Whether a match over these series would name their contributors; a requester hides nobody by its own."""
    names = {one.contributor.agency_id for one in held} - {requester.agency_id}
    return bool(held) and len(names) < bundle.limits.count_contributors


def _of_series(
    bundle: Bundle,
    action: Action,
    facts: AdmitFacts | ReleaseFacts,
    tier: Tier,
    verdicts: Sequence[SeriesVerdict],
    notes: Sequence[str],
    extra: Sequence[str],
) -> Decision:
    allowed = [one for one in verdicts if one.outcome is Outcome.ALLOW]
    if allowed:
        rules = sorted({rule for one in allowed for rule in one.rules})
        return _decision(bundle, action, facts, Outcome.ALLOW, tier, rules, (), tuple(verdicts), notes)
    every = [set(one.rules) for one in verdicts]
    common = set.intersection(*every) if every else {NO_SERIES}
    # What refuses every series tells most; where nothing does, all that refused one is told.
    refusing = sorted({*(common or set().union(*every)), *extra})
    missed = tuple(dict.fromkeys(line for one in verdicts for line in one.missed))
    return _decision(bundle, action, facts, Outcome.DENY, tier, refusing, missed, tuple(verdicts), notes)


def _decision(
    bundle: Bundle,
    action: Action,
    facts: DepositFacts | AdmitFacts | ReleaseFacts,
    outcome: Outcome,
    tier: Tier | None,
    rules: Iterable[str],
    missed: Sequence[str],
    series: Sequence[SeriesVerdict],
    notes: Sequence[str],
) -> Decision:
    named = tuple(rules)
    return Decision(
        action=action,
        bundle_digest=bundle.digest,
        facts=facts,
        outcome=outcome,
        tier=tier,
        rules=named,
        reasons=tuple(_said(bundle, rule)[0] for rule in named),
        law=tuple(_said(bundle, rule)[1] for rule in named),
        missed=tuple(missed),
        series=tuple(series),
        notes=tuple(notes),
    )


def _said(bundle: Bundle, rule: str) -> tuple[str, str]:
    if rule in COMPUTED:
        return COMPUTED[rule]
    return bundle.rules[rule].reason, bundle.rules[rule].law


def _needs(bundle: Bundle, missed: Iterable[str]) -> tuple[str, ...]:
    lines = []
    for clause in missed:
        rule, _, number = clause.partition("/")
        lines.append(f"{rule}, clause {number}: {bundle.rules[rule].needs[int(number) - 1]}")
    return tuple(lines)
