"""Prove the invariants of a bundle over every request, or find the request that breaks one.

Rule: an invariant is proved when the solver is certain that no request for which its condition holds is allowed, be it
admitted, released or deposited; one that can err is broken, like one that fails. A request that breaks one is decided
by the engine before it is shown. Allowed means allowed by the engine about one series: what the gate does besides can
only refuse more (docs/gate.md says what is not proved).

It reads no clock: how to measure time is given.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import z3

from broker.gate.bundle import Bundle
from broker.gate.decide import Case
from broker.gate.decision import Action, Decision
from broker.gate.proving.invariants import Invariant
from broker.gate.proving.leaves import Assignment
from broker.gate.proving.preferences import preferences
from broker.gate.proving.relations import RELATIONS, UNSHOWN, Relation
from broker.gate.proving.space import Space
from broker.gate.proving.verdict import ACTIONS
from broker.gate.proving.witness import case_of, check
from broker.protocol.errors import BadInput, VerificationFailed


@dataclass(frozen=True)
class Counterexample:
    """A request that breaks an invariant, as the engine decided it; for a relation also the other request."""

    action: Action
    case: Case
    decision: Decision
    other_case: Case | None = None
    other_decision: Decision | None = None


@dataclass(frozen=True)
class Result:
    """What came of one invariant: proved, or broken by a counterexample."""

    name: str
    reason: str
    law: str
    milliseconds: int
    counterexample: Counterexample | None

    @property
    def proved(self) -> bool:
        """Whether it holds for every request."""
        return self.counterexample is None


class Prover:
    """Proves things of one bundle."""

    def __init__(self, space: Space, bundle: Bundle, invariants: Mapping[str, Invariant]) -> None:
        """
        Args:
            space: made of `bundle`, or of one that differs from it in its rules alone."""
        self._space, self._bundle, self._invariants = space, bundle, invariants
        self._verdicts = space.verdicts[0]

    @classmethod
    def of(cls, bundle: Bundle, invariants: Mapping[str, Invariant]) -> "Prover":
        """A prover in a space of its own."""
        space = Space([bundle], [{name: each.policy for name, each in invariants.items()}])
        return cls(space, bundle, invariants)

    def prove_all(self, clock_milliseconds: Callable[[], float]) -> Iterator[Result]:
        """Each invariant in turn, those that compare two requests last. Raises as `prove`."""
        for name in (*self._invariants, *RELATIONS):
            yield self.prove(name, clock_milliseconds)

    def prove(self, name: str, clock_milliseconds: Callable[[], float]) -> Result:
        """One invariant by name.

        Raises BadInput for a name that is none, VerificationFailed when solver or engine cannot confirm it."""
        known: Mapping[str, Invariant | Relation] = {**self._invariants, **RELATIONS}
        asked = known.get(name)
        if asked is None:
            raise BadInput("There is no invariant of that name. Leave --invariant out to see all.")
        start = clock_milliseconds()
        broken = self._broken(asked) if isinstance(asked, Invariant) else self._broken_relation(asked)
        return Result(name, asked.reason, asked.law, round(clock_milliseconds() - start), broken)

    def _broken(self, invariant: Invariant) -> Counterexample | None:
        for action in ACTIONS:
            reading = self._verdicts.reading(action, invariant.policy)
            bad = self._verdicts.asked[action].as_the_gate_asks(z3.Or(reading.holds, reading.errs))
            allowed = self._verdicts.allowed(action, self._bundle.syntax)
            if self._space.find(allowed, bad) is not None:
                return self._shown(invariant.name, action, bad)
        return None

    def _shown(self, name: str, action: Action, bad: z3.BoolRef) -> Counterexample:
        """The plainest request that the whole gate allows, checked by the engine."""
        decided = self._verdicts.decided(action, self._bundle.syntax)
        found = self._space.find(decided, bad, preferring=preferences(self._space.facts))
        if found is None:
            raise VerificationFailed(UNSHOWN.format(name))
        case = case_of(self._space.facts, found, action)
        return Counterexample(action, case, check(self._bundle, case, allowed=True))

    def _broken_relation(self, relation: Relation) -> Counterexample | None:
        for action in relation.actions:
            found = relation.search(self._space, self._bundle.syntax, action)
            if found is not None:
                return self._compared(relation, action, found)
        return None

    def _compared(self, relation: Relation, action: Action, found: tuple[Assignment, ...]) -> Counterexample:
        cases = [case_of(self._space.facts, each, action) for each in found]
        decisions = [
            check(self._bundle, case, allowed=allowed)
            for case, allowed in zip(cases, relation.allowed, strict=True)
        ]
        if len(cases) == 1:
            return Counterexample(action, cases[0], decisions[0])
        return Counterexample(action, cases[0], decisions[0], cases[1], decisions[1])
