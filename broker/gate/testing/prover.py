"""Whether a mutant differs from the bundle on any request at all, as the prover tells: the denominator of the score.

Rule (issue 4): a mutant that comes to the same decision on every request is the same rule in other words, and nobody
can be asked to kill it. Asked is first for another outcome. Then, since a scenario names its rules too, for a request
on which the mutated rule applies and the rule as written does not, or the other way round; of permits only where
nothing forbids, since elsewhere they do not show. A request is a witness when the gate itself decides it differently
under both; where the prover has only others, the mutant counts as different without one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from broker.gate.bundle import Bundle
from broker.gate.decide import Case
from broker.gate.lint import Policy
from broker.gate.proving.compare import Distinguisher, differences
from broker.gate.proving.verdict import ACTIONS
from broker.gate.testing.killing import Mutant
from broker.gate.testing.mutants.rules import RuleMutant
from broker.gate.testing.scenarios import come_to
from broker.protocol.errors import BadInput, VerificationFailed

_Rules = Mapping[str, Policy]


@dataclass(frozen=True)
class Proved:
    """What the prover says of a mutant: that it is no different, or, by a case, that it is.

    `undecided`: the prover could not read the mutant or could not tell, or its requests do not show in the gate's
    whole decision. It may be that none does; the mutant counts as different all the same."""

    witness: Case | None
    undecided: bool = False

    @property
    def different(self) -> bool:
        """Whether the mutant counts as different from the bundle."""
        return self.undecided or self.witness is not None


class Prover:
    """Asks about mutants of one bundle. Made once, it is asked many times."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        # Each keeps in mind what it was asked last, so questions of two kinds go to two.
        self._of_outcome, self._of_rule = Distinguisher(bundle), Distinguisher(bundle)
        self._about: tuple[str, _Rules] = ("", {})

    def proved(self, mutant: Mutant) -> Proved:
        """What the prover says of a mutant."""
        mutated = mutant.applied(self._bundle)
        found = False
        try:
            for case in self._requests(mutant, mutated):
                found = True
                if come_to(mutated, case) != come_to(self._bundle, case):
                    return Proved(case)
        except (BadInput, VerificationFailed):
            return Proved(None, undecided=True)
        return Proved(None, undecided=found)

    def _requests(self, mutant: Mutant, mutated: Bundle) -> Iterator[Case]:
        if isinstance(mutant, RuleMutant):
            return self._of_rules(mutant)
        return (each.case for each in differences(self._bundle, mutated))

    def _of_rules(self, mutant: RuleMutant) -> Iterator[Case]:
        """Requests on which a mutant of a rule may show."""
        yield from _asked(self._of_outcome, self._bundle.syntax, mutant.applied(self._bundle).syntax)
        written = self._bundle.syntax[mutant.rule]
        if mutant.policy is None or mutant.policy["effect"] == written["effect"]:
            if self._about[0] != mutant.rule:
                self._about = (mutant.rule, self._applies(mutant.rule, written))
            yield from _asked(self._of_rule, self._about[1], self._applies(mutant.rule, mutant.policy))

    def _applies(self, rule: str, policy: Policy | None) -> _Rules:
        """Rules that allow exactly where one rule applies and shows."""
        if self._bundle.rules[rule].effect == "forbid":
            around = {}
        else:
            around = {name: each for name, each in self._bundle.syntax.items() if each["effect"] == "forbid"}
        return around if policy is None else {**around, rule: {**policy, "effect": "permit"}}


def _asked(prover: Distinguisher, before: _Rules, after: _Rules) -> Iterator[Case]:
    for action in ACTIONS:
        found = prover.distinguish(before, after, action)
        if found is not None:
            yield found
