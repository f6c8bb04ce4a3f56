"""Whether two bundles that differ in their tables ever decide differently: a request that shows it, or none.

Rule: rules, numbers, catalogue, lanes and regions are each bundle's own, and the requests are those that either can
name. It does not say which of the two is right.
"""

from collections.abc import Iterator

import z3

from broker.gate.bundle import Bundle
from broker.gate.decide import Case
from broker.gate.proving.space import Space
from broker.gate.proving.verdict import ACTIONS
from broker.gate.proving.witness import case_of


def told_apart(before: Bundle, after: Bundle) -> Iterator[Case]:
    """A request of each action that one bundle allows and the other refuses; nothing for an action without one.

    Raises BadInput for a rule that the prover cannot read, VerificationFailed when the solver cannot tell."""
    space = Space([before, after])
    first, second = space.verdicts
    for action in ACTIONS:
        found = space.find(z3.Xor(first.decided(action, before.syntax), second.decided(action, after.syntax)))
        if found is not None:
            yield case_of(space.facts, found, action, [before, after])
