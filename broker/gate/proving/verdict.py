"""What a set of rules answers, as one Z3 formula over every request: default deny, forbid overrides, any error refuses.

Rule: this is Cedar's combination of rules as `broker.gate.engine` takes it, which refuses where the engine would skip a
rule that errs; and, for a request about one contributor's series, what `broker.gate.decide` makes of the answer.
A request about several series is decided for each by itself, so that what holds for one holds for all.

It solves nothing.
"""

from collections.abc import Mapping

import z3

from broker.gate.bundle import Bundle
from broker.gate.decision import Action
from broker.gate.lint import Policy
from broker.gate.proving.facts import Facts
from broker.gate.proving.question import Asked, Example, Questions
from broker.gate.proving.terms import Reading, Translator
from broker.gate.proving.values import every, negation, some

Rules = Mapping[str, Policy]
"""Rules by @id, as the engine's JSON (`Bundle.syntax`)."""
ACTIONS: tuple[Action, ...] = ("deposit", "admit", "release")


class Verdicts:
    """The verdicts of any set of rules under one bundle's catalogue, lanes, regions and numbers."""

    def __init__(self, bundle: Bundle, facts: Facts, example: Example) -> None:
        questions = Questions(bundle, facts, example)
        self._tiers = questions.tiers
        self.asked: Mapping[Action, Asked] = {action: questions.of(action) for action in ACTIONS}
        self._translators = {
            action: Translator(facts.vocabulary, self.asked[action].variables) for action in ACTIONS
        }
        self._read: dict[tuple[Action, int], tuple[Policy, Reading]] = {}
        """By the rule's identity, which is why the rule is kept beside its reading."""

    def reading(self, action: Action, policy: Policy) -> Reading:
        """When a rule applies and when it errs; read once. Raises BadInput for what the prover cannot read."""
        known = self._read.get((action, id(policy)))
        if known is None:
            known = (policy, self._translators[action].rule(policy))
            self._read[action, id(policy)] = known
        return known[1]

    def errs(self, action: Action, rules: Rules) -> z3.BoolRef:
        """Some rule errs, when the gate asks."""
        return self.asked[action].as_the_gate_asks(self._errs(action, rules))

    def allowed(self, action: Action, rules: Rules) -> z3.BoolRef:
        """The engine's answer about one series is Allow without any error, when the gate asks."""
        return self.asked[action].as_the_gate_asks(self._answer(action, rules))

    def decided(self, action: Action, rules: Rules) -> z3.BoolRef:
        """The gate's decision is ALLOW, on a request about series under the same conditions, one for each contributor.

        A request that too few contributors make one for `sources` (L21) was open at the tier below."""
        asked, answer = self.asked[action], self._answer(action, rules)
        allowed = asked.as_the_gate_asks(answer)
        if action == "admit":
            below = z3.Or(z3.Not(asked.gates_escalated), asked.before_escalation(answer))
            return every((allowed, below))
        return every((allowed, self._tiers.released(asked.gates_tier))) if action == "release" else allowed

    def _errs(self, action: Action, rules: Rules) -> z3.BoolRef:
        return some(self.reading(action, policy).errs for policy in rules.values())

    def _answer(self, action: Action, rules: Rules) -> z3.BoolRef:
        """The engine's answer at any tier, whether or not the gate asks about it."""
        permits = [policy for policy in rules.values() if policy["effect"] == "permit"]
        forbids = [policy for policy in rules.values() if policy["effect"] == "forbid"]
        return every(
            (
                some(self.reading(action, policy).holds for policy in permits),
                negation(some(self.reading(action, policy).holds for policy in forbids)),
                negation(self._errs(action, rules)),
            )
        )
