"""Whether two sets of rules, or two bundles, ever decide differently: a request on which they do, or the proof of none.

Rule: the difference is one of outcome, of the whole decision as the gate takes it; a request that shows one is decided
by the engine under both before it is given out. Numbers, catalogue, lanes and regions of each bundle count too.

It does not say which of the two is right.
"""

from broker.gate.bundle import Bundle
from broker.gate.decide import Case
from broker.gate.decision import Action
from broker.gate.proving.space import Space
from broker.gate.proving.terms import words_of
from broker.gate.proving.verdict import Rules
from broker.gate.proving.witness import case_of

import z3


class Distinguisher:
    """Tells sets of rules apart that stand on the catalogue, lanes, regions and numbers of one bundle.

    Made once, it is asked many times: rules that were read are not read again, as long as they are the same objects."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._space = Space([bundle])

    def distinguish(self, before: Rules, after: Rules, action: Action) -> Case | None:
        """A request that one set of rules allows and the other refuses; None when there is none.

        Args:
            before, after: rules by @id, as the engine's JSON (`Bundle.syntax`).
        Raises BadInput for a rule that the prover cannot read, VerificationFailed when the solver cannot tell."""
        if not words_of([*before.values(), *after.values()]) <= self._space.words:
            self._space = Space([self._bundle], (before, after))
        verdicts = self._space.verdicts[0]
        found = self._space.find(z3.Xor(verdicts.decided(action, before), verdicts.decided(action, after)))
        return None if found is None else case_of(self._space.facts, found, action, [self._bundle])
