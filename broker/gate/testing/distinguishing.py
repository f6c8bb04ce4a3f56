"""Whether a mutant differs from the rules on any request at all, as the prover tells: the denominator of the score.

Rule (issue 4): a mutant that comes to the same decision on every request is the same rule in other words, and nobody
can be asked to kill it. Asked is first for another outcome; then, since a scenario names its rules too, for a request
on which the mutated rule itself applies and the rule as written does not, or the other way round. Of the latter, a
permit is asked about only where nothing forbids, since elsewhere it does not show.
"""

from collections.abc import Iterator, Mapping

from broker.gate.bundle import Bundle
from broker.gate.decide import Case
from broker.gate.lint import Policy
from broker.gate.proving.compare import Distinguisher
from broker.gate.proving.verdict import ACTIONS
from broker.gate.testing.mutants import RuleMutant

Rules = Mapping[str, Policy]


class RuleProver:
    """Asks the prover about mutants of the rules of one bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._prover = Distinguisher(bundle)
        self._forbids = {
            rule: policy for rule, policy in bundle.syntax.items() if policy["effect"] == "forbid"
        }
        self._alone: dict[str, Rules] = {}

    def witnesses(self, mutant: RuleMutant) -> Iterator[Case]:
        """Requests on which a mutant differs, of each action and way to differ one; none if it never does.

        Raises VerificationFailed when the solver cannot tell."""
        yield from self._asked(self._bundle.syntax, mutant.applied(self._bundle).syntax)
        if mutant.policy is None or mutant.policy["effect"] == self._bundle.rules[mutant.rule].effect:
            before = self._alone.setdefault(
                mutant.rule, self._about(mutant.rule, self._bundle.syntax[mutant.rule])
            )
            yield from self._asked(before, self._about(mutant.rule, mutant.policy))

    def _asked(self, before: Rules, after: Rules) -> Iterator[Case]:
        for action in ACTIONS:
            found = self._prover.distinguish(before, after, action)
            if found is not None:
                yield found

    def _about(self, rule: str, policy: Policy | None) -> Rules:
        """A rule as the only way to be allowed, so that the outcome tells whether it applies."""
        around = {} if self._bundle.rules[rule].effect == "forbid" else self._forbids
        return around if policy is None else {**around, rule: {**policy, "effect": "permit"}}
