"""The engine's question about a request that is not known: `broker.gate.question` over variables.

Rule: names and shape are those of the real question, which is asked here for an example: a fact in it that is not known
here is an error. What the gate looks up in the bundle (instrument, lane, numbers) is tabulated by asking the real
question once for each entry, so that it cannot differ from it.

It also says about which tier the gate asks (`broker.gate.decide`), and takes no decision.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import z3

from broker.gate import question
from broker.gate.bundle import Bundle
from broker.gate.decision import Action
from broker.gate.facts import AdmitFacts, Result, SeriesFacts
from broker.gate.proving.catalogue import Catalogue, Named
from broker.gate.proving.facts import Facts
from broker.gate.proving.leaves import Fact, Maybe
from broker.gate.proving.shape import group_of, joined, member_term, named, present, shaped, term_of
from broker.gate.proving.tiers import Tiers
from broker.gate.proving.values import (
    TRUE,
    Entity,
    Long,
    Many,
    Record,
    Truth,
    Value,
    Word,
    either,
    every,
    same_term,
    some,
    word_variable,
)
from broker.protocol.messages.vocabulary import AgencyKind, Authority, Tier

_STATED = ("basis", "offence", "maximum_penalty_months", "purpose", "subjects")
"""What requester and legal desk both say, and L20 compares."""
_INDEPENDENT = (Authority.COURT, Authority.JUDGE, Authority.INDEPENDENT_AUTHORITY)
_TIERS = tuple(Tier)


@dataclass(frozen=True, eq=False)
class Example:
    """One well-formed request, to ask the real question about."""

    request: AdmitFacts
    series: SeriesFacts
    result: Result


@dataclass(frozen=True, eq=False)
class Asked:
    """One question: what each variable of a rule stands for. Its tier is a variable, of which the gate's own is one."""

    variables: Mapping[str, Value]
    tier: z3.BitVecRef
    escalated: z3.BoolRef
    first_tier: z3.BitVecRef
    """The tier before too few contributors made it `sources`."""
    gates_tier: z3.BitVecRef
    """The tier that the gate asks about, from the facts."""
    gates_escalated: z3.BoolRef

    def as_the_gate_asks(self, formula: z3.BoolRef) -> z3.BoolRef:
        """A formula over this question, when it is the gate that asks it."""
        return z3.substitute(formula, (self.tier, self.gates_tier), (self.escalated, self.gates_escalated))

    def before_escalation(self, formula: z3.BoolRef) -> z3.BoolRef:
        """A formula over this question, when it is asked at the tier below."""
        return z3.substitute(formula, (self.tier, self.first_tier), (self.escalated, z3.BoolVal(False)))


class Questions:
    """Makes the questions of one bundle over `facts`."""

    def __init__(self, bundle: Bundle, facts: Facts, example: Example) -> None:
        self._bundle, self._facts, self._example = bundle, facts, example
        self._word = facts.vocabulary.word
        self.tiers = Tiers(bundle, facts)
        asked, series = example.request, example.series
        self._real_entities = question.entities(
            asked.requester, series.series_id, series.contributor, series.identifier_type, series.conditions
        )
        self._real = question.matching_context(bundle, asked, series, asked.tier, asked.now, example.result)

    def of(self, action: Action) -> Asked:
        """The question of one action. Raises BadInput for a fact of the real question that is not known here."""
        facts, request = self._facts, self._facts.request.facts
        tier, escalated = word_variable(f"{action}.tier"), z3.Bool(f"{action}.escalated")
        party = facts.contributor if action == "deposit" else request["requester"]
        agency = shaped(self._real_entities[0]["attrs"], named(party), "principal")
        variables: dict[str, Value] = {
            "action": _entity("Action", self._word(action), Record({})),
            "principal": _entity("Agency", member_term(party, "agency_id"), agency),
            "resource": _entity("Series", word_variable("series_id"), self._series()),
        }
        if action == "deposit":
            variables["context"] = present(
                {
                    "now": request["now"].value,
                    "records": facts.records.value,
                    "limit": self._constant(self._real["limit"]),
                }
            )
        else:
            context = self._matching(Word(tier), Truth(escalated), with_result=action == "release")
            variables["context"] = shaped(self._real, context, "context")
        return Asked(variables, tier, escalated, self.tiers.first, *self.tiers.asked_about(action))

    # --- the context ---

    def _matching(self, tier: Word, escalated: Truth, *, with_result: bool) -> Record:
        request = self._facts.request.facts
        claims, verified = request["claims"], request["verified"]
        assert isinstance(verified, Maybe)
        union = self._bundle.regions.union
        attributes: dict[str, Value] = {
            "now": request["now"].value,
            "tier": tier,
            "identifiers": request["identifiers"].value,
            "points": request["points"].value,
            "escalated": escalated,
            "lane": self._lane(),
            "readerInUnion": Truth(self._among(member_term(request["requester"], "jurisdiction"), union)),
            "contributorInUnion": Truth(
                self._among(member_term(self._facts.conditions, "established_in"), union)
            ),
            "instrument": self._instrument(claims, verified),
            "claimed": joined(named(claims, _STATED), {"facts": self._stated(claims, claims)}),
            "derived": self._derived(),
            "people": joined(
                named(request["people"]), {"independentReview": Truth(self._reviewed(verified))}
            ),
            "limit": self._constant(self._real["limit"]),
        }
        found = joined(named(verified.fact, _STATED), {"facts": self._stated(verified.fact, claims)})
        context = dict(present(attributes).attributes) | {"verified": (verified.present, found)}
        answered = joined(named(self._facts.result), {"contributorAnswer": self._facts.answer.value})
        context["result"] = (z3.BoolVal(with_result), answered)
        return Record(context)

    def _stated(self, stated: Fact, claims: Fact) -> Record:
        """Case and officer are the requester's own words on both sides."""
        words = {name: group_of(claims).facts[name].value for name in ("case_reference", "officer")}
        facts = words | {name: group_of(stated).facts[name].value for name in _STATED if name != "basis"}
        return present(
            {question.camel(name): value for name, value in facts.items()}
            | {"basis": named(group_of(stated).facts["basis"])}
        )

    def _derived(self) -> Record:
        """As they are; one that is missing is put to the engine as "none", or as 0."""
        filled: dict[str, Value] = {}
        for name, fact in group_of(self._facts.request.facts["derived"]).facts.items():
            value = fact.value
            if isinstance(fact, Maybe):
                none: Value = Word(self._word("none")) if isinstance(value, Word) else Long(z3.IntVal(0))
                value = either(fact.present, value, none)
            filled[question.camel(name)] = value
        return present(filled)

    def _reviewed(self, verified: Maybe) -> z3.BoolRef:
        basis = group_of(verified).facts["basis"]
        order = some(
            self._among(member_term(basis, name), _INDEPENDENT) for name in ("issued_by", "validated_by")
        )
        reviewers = member_term(self._facts.request.facts["people"], "reviewers")
        return z3.Or(reviewers >= 1, z3.And(verified.present, order))

    def _series(self) -> Record:
        conditions, contributor = self._facts.conditions, self._facts.contributor
        highest = member_term(conditions, "highest_tier")
        permitted = tuple(
            (self._among(highest, _TIERS[place:]), Word(self._word(tier)))
            for place, tier in enumerate(_TIERS)
        )
        known = joined(
            named(conditions),
            {
                "contributorSuspended": contributor.facts["suspended"].value,
                "permittedTiers": Many(permitted),
                "identifierType": self._facts.identifier_type.value,
            },
        )
        return shaped(self._real_entities[1]["attrs"], known, "resource")

    # --- what is looked up in the bundle ---

    def _lane(self) -> Many:
        reader = member_term(self._facts.request.facts["requester"], "kind")
        contributor = member_term(self._facts.contributor, "kind")
        declared = member_term(self._facts.conditions, "contributor_kind")
        opens: dict[str, list[z3.BoolRef]] = {}
        for reading, holding, said in ((a, b, c) for a in AgencyKind for b in AgencyKind for c in AgencyKind):
            series = self._example.series
            party = series.contributor.model_copy(update={"kind": holding})
            held = series.conditions.model_copy(update={"contributor_kind": said})
            asking = self._example.request.requester.model_copy(update={"kind": reading})
            series = series.model_copy(update={"contributor": party, "conditions": held})
            here = every(
                (
                    same_term(reader, self._word(reading)),
                    same_term(contributor, self._word(holding)),
                    same_term(declared, self._word(said)),
                )
            )
            for gateway in question.lane(self._bundle, asking, series):
                opens.setdefault(gateway, []).append(here)
        return Many(tuple((some(where), Word(self._word(name))) for name, where in opens.items()))

    def _instrument(self, claims: Fact, verified: Maybe) -> Record:
        """The verified instrument, or the claimed one where nothing is verified."""
        found, said = group_of(verified).facts["basis"], group_of(claims).facts["basis"]
        basis = {
            name: z3.If(verified.present, member_term(found, name), member_term(said, name))
            for name in ("instrument", "jurisdiction")
        }
        about = Named(
            basis["instrument"],
            basis["jurisdiction"],
            member_term(self._facts.conditions, "established_in"),
            term_of(self._facts.identifier_type),
            term_of(self._facts.request.facts["now"]),
        )
        catalogue = Catalogue(self._bundle.instruments, self._facts.jurisdictions, self._facts.vocabulary)
        return present(catalogue.answers(about))

    def _constant(self, real: Any) -> Value:
        """A value of the real question, as it stands."""
        if isinstance(real, Mapping):
            return present({name: self._constant(each) for name, each in real.items()})
        if isinstance(real, list):
            return Many(tuple((TRUE, self._constant(each)) for each in real))
        if isinstance(real, bool):
            return Truth(z3.BoolVal(real))
        return Long(z3.IntVal(real)) if isinstance(real, int) else Word(self._word(real))

    def _among(self, term: z3.BitVecRef, words: Iterable[str]) -> z3.BoolRef:
        return some(same_term(term, self._word(each)) for each in words)


def _entity(kind: str, name: z3.BitVecRef, attributes: Record) -> Entity:
    return Entity(f"{question.NAMESPACE}::{kind}", Word(name), attributes)
