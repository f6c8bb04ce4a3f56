"""Whether two bundles that differ in their tables ever decide differently: a request that shows it, or none.

Rule: rules, numbers, catalogue, lanes and regions are each bundle's own, and the requests are those that either can
name. It does not say which of the two is right.
"""

import z3

from broker.gate.bundle import Bundle
from broker.gate.decide import Case
from broker.gate.decision import Action
from broker.gate.proving.space import Space
from broker.gate.proving.witness import case_of


def distinguish_bundles(before: Bundle, after: Bundle, action: Action) -> Case | None:
    """A request that one bundle allows and the other refuses; None when there is none.

    Raises BadInput for a rule that the prover cannot read, VerificationFailed when the solver cannot tell."""
    space = Space([before, after])
    first, second = space.verdicts
    found = space.find(z3.Xor(first.decided(action, before.syntax), second.decided(action, after.syntax)))
    return None if found is None else case_of(space.facts, found, action, [before, after])
