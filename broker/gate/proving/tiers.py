"""Which tier the gate asks the engine about, and releases at, for the tier that a requester asked for.

Rule: these are the steps of `broker.gate.decide` that change a tier: a count too small or without budget becomes hits
(L15), a request too few could answer becomes one for sources (L21), and no result tells more than was admitted (TIER).
Tests compare each with the gate's own decision.
"""

import z3

from broker.gate.bundle import Bundle
from broker.gate.decision import Action
from broker.gate.proving.facts import Facts
from broker.gate.proving.shape import member_term, term_of
from broker.gate.proving.values import every
from broker.protocol.messages.vocabulary import Tier


class Tiers:
    """The tiers of one bundle over `facts`."""

    def __init__(self, bundle: Bundle, facts: Facts) -> None:
        self._bundle, self._facts = bundle, facts
        self._word = facts.vocabulary.word
        self.first = self._first_tier()
        """The tier before too few contributors make it `sources`."""

    def released(self, tier: z3.BitVecRef) -> z3.BoolRef:
        """What the gate asks of a result besides: a tier no higher than that admitted (TIER), and below `sources`
        enough contributors (L21)."""
        count, hits, sources, payload = (self._word(each) for each in Tier)
        first, few = self.first, self._few()
        admitted_lower = z3.And(z3.Or(first == count, first == hits), z3.Not(few))
        return every(
            (
                z3.Implies(z3.Or(tier == count, tier == hits), z3.Not(few)),
                z3.Implies(tier == hits, first != count),
                z3.Implies(tier == sources, z3.Not(admitted_lower)),
                z3.Implies(tier == payload, first == payload),
            )
        )

    def _few(self) -> z3.BoolRef:
        """Fewer contributors than hide one another."""
        return self._facts.contributors.term < self._bundle.limits.count_contributors

    def _first_tier(self) -> z3.BitVecRef:
        """A count about too few identifiers, or without budget, is decided as hits (L15)."""
        request, derived = self._facts.request.facts, self._facts.request.facts["derived"]
        asked = term_of(self._facts.request.facts["tier"])
        small = term_of(request["identifiers"]) < self._bundle.limits.count_least_identifiers
        spent = member_term(derived, "count_cost_millis") > member_term(derived, "count_budget_left_millis")
        count, hits = self._word(Tier.COUNT), self._word(Tier.HITS)
        return z3.If(z3.And(asked == count, z3.Or(small, spent)), hits, asked)

    def asked_about(self, action: Action) -> tuple[z3.BitVecRef, z3.BoolRef]:
        """The tier that the gate asks about, and whether it was asked for below and became `sources` (L21)."""
        count, hits, sources, _ = (self._word(each) for each in Tier)
        if action == "release":
            asked, tier = term_of(self._facts.request.facts["tier"]), term_of(self._facts.released_as)
            return tier, z3.And(tier == sources, z3.Or(asked == count, asked == hits))
        first = self.first
        escalated = z3.And(z3.Or(first == count, first == hits), self._few())
        return z3.If(escalated, sources, first), escalated
