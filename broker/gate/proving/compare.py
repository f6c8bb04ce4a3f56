"""Whether two sets of rules, or two bundles, ever decide differently: a request on which they do, or the proof of none.

Rule: the difference is one of outcome, of the whole decision as the gate takes it about contributors under the same
conditions. Numbers, catalogue, lanes and regions of each bundle count too. A difference between bundles is decided by
the engine under both before it is given out.

It does not say which of the two is right.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import z3

from broker.gate.bundle import Bundle
from broker.gate.decide import Case
from broker.gate.decision import Action, Decision
from broker.gate.proving.facts import is_jurisdiction
from broker.gate.proving.preferences import preferences
from broker.gate.proving.space import Space
from broker.gate.proving.terms import words_of
from broker.gate.proving.verdict import ACTIONS, Rules
from broker.gate.proving.witness import case_of, check


@dataclass(frozen=True)
class Difference:
    """A request that two bundles decide differently: with both decisions, one an ALLOW and the other a DENY."""

    action: Action
    case: Case
    old: Decision
    new: Decision


def differences(old: Bundle, new: Bundle) -> Iterator[Difference]:
    """For each action, a request that the old bundle allows and the new one refuses, and one the other way round.

    Nothing for an action and direction in which no request is decided differently. Raises BadInput for a rule that the
    prover cannot read, VerificationFailed when solver or engine cannot confirm it."""
    space = Space([old, new])
    before, after = space.verdicts
    for action in ACTIONS:
        allowed = before.decided(action, old.syntax), after.decided(action, new.syntax)
        for was, wanted in (
            (True, (allowed[0], z3.Not(allowed[1]))),
            (False, (z3.Not(allowed[0]), allowed[1])),
        ):
            found = space.find(*wanted, preferring=preferences(space.facts))
            if found is not None:
                case = case_of(space.facts, found, action)
                yield Difference(
                    action, case, check(old, case, allowed=was), check(new, case, allowed=not was)
                )


class Distinguisher:
    """Tells sets of rules apart that stand on the catalogue, lanes, regions and numbers of one bundle.

    Made once, it is asked many times: rules that were read are not read again, as long as they are the same objects."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._kept: dict[Action, tuple[Rules, z3.BoolRef]] = {}
        self._start(())

    def distinguish(self, before: Rules, after: Rules, action: Action) -> Case | None:
        """A request that one set of rules allows and the other refuses; None when there is none.

        Args:
            before, after: rules by @id, as the engine's JSON (`Bundle.syntax`).
        Raises BadInput for a rule that the prover cannot read, VerificationFailed when the solver cannot tell."""
        known = {id(policy) for policy in before.values()}
        new = words_of([policy for policy in after.values() if id(policy) not in known])
        if action not in self._kept or self._kept[action][0] is not before:
            new |= words_of(list(before.values()))
        if any(map(is_jurisdiction, new - self._space.words)):
            # Sets of jurisdictions range over those that are named, so that another one makes another space.
            self._start((before, after))
        decided = self._before(before, action)
        found = self._space.find(z3.Xor(decided, self._space.verdicts[0].decided(action, after)))
        return None if found is None else case_of(self._space.facts, found, action)

    def _start(self, more: Iterable[Rules]) -> None:
        self._space = Space([self._bundle], more)
        self._kept = {}

    def _before(self, rules: Rules, action: Action) -> z3.BoolRef:
        """The formula of the rules that all others are compared with, given to the solver once."""
        kept = self._kept.get(action)
        if kept is None or kept[0] is not rules:
            kept = (rules, self._space.verdicts[0].decided(action, rules))
            self._space.keep(kept[1])
            self._kept[action] = kept
        return kept[1]
