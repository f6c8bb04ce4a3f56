"""Facts that are known, put in the place of the prover's variables: what its formulas come to for one request.

The way back from facts to variables is needed by tests alone: they compare the formulas with the engine.
"""

from typing import Any

import z3

from broker.gate.facts import AdmitFacts, DepositFacts, Result, SeriesFacts
from broker.gate.proving.facts import Facts
from broker.gate.proving.leaves import (
    CountedFact,
    Fact,
    Group,
    LongFact,
    Maybe,
    SetFact,
    StatedFact,
    TruthFact,
)
from broker.gate.proving.question import Asked
from broker.gate.proving.shape import term_of
from broker.gate.proving.values import (
    WORD_BITS,
    Long,
    Many,
    Record,
    Truth,
    Value,
    Vocabulary,
    Word,
    word_variable,
)
from broker.protocol.messages.vocabulary import ContributorAnswer, Tier

_FIRST_FREE_CODE = 2 ** (WORD_BITS - 1)


class Pinned:
    """One request as a Z3 model."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._model = z3.Model()
        self._others: dict[str, int] = {}

    def holds(self, formula: z3.BoolRef) -> bool:
        """What a formula comes to for this request; it may depend on nothing that was not put in."""
        value = self._model.eval(formula)
        assert z3.is_true(value) or z3.is_false(value), f"undecided: {value}"
        return bool(z3.is_true(value))

    def word(self, term: Any) -> str | None:
        """What a string comes to for this request."""
        return self._facts.vocabulary.text(self._model.eval(term).as_long())

    def seen(self, value: Value) -> Any:
        """A symbolic value as it stands in JSON for this request; a set as its sorted members."""
        if isinstance(value, Record):
            present = {name: each for name, (here, each) in value.attributes.items() if self.holds(here)}
            return {name: self.seen(each) for name, each in present.items()}
        if isinstance(value, Many):
            return sorted({self.seen(each) for here, each in value.members if self.holds(here)})
        if isinstance(value, Truth):
            return self.holds(value.term)
        assert isinstance(value, Long | Word)
        known = self._model.eval(value.term)
        if isinstance(value, Long):
            return known.as_long()
        others = {code: text for text, code in self._others.items()}
        text = self._facts.vocabulary.text(known.as_long())
        return others[known.as_long()] if text is None else text

    def put(self, term: Any, value: Any) -> None:
        """One variable."""
        if isinstance(value, bool):
            value = z3.BoolVal(value)
        elif isinstance(value, int):
            value = z3.IntVal(value)
        elif isinstance(value, str):
            value = self._code(value)
        self._model.update_value(term, value)

    def put_request(self, request: AdmitFacts, series: SeriesFacts) -> None:
        """The facts of an admission about one series."""
        self._put(self._facts.request, request)
        self._put(self._facts.contributor, series.contributor)
        self._put(self._facts.identifier_type, series.identifier_type)
        self._put(self._facts.conditions, series.conditions)
        self.put(word_variable("series_id"), series.series_id.hex())

    def put_deposit(self, deposit: DepositFacts) -> None:
        """The facts of a deposit."""
        self._put(self._facts.request.facts["now"], deposit.now)
        self._put(self._facts.contributor, deposit.contributor)
        self._put(self._facts.identifier_type, deposit.identifier_type)
        self._put(self._facts.conditions, deposit.conditions)
        self._put(self._facts.records, deposit.records)
        self.put(word_variable("series_id"), deposit.declaration_digest.hex())

    def put_result(self, result: Result, answer: ContributorAnswer) -> None:
        """The facts of a release."""
        self._put(self._facts.result, result)
        self._put(self._facts.answer, answer)

    def put_tier(self, asked: Asked, tier: Tier, *, escalated: bool) -> None:
        """The tier that is asked about."""
        self.put(asked.tier, str(tier))
        self.put(asked.escalated, escalated)

    def put_whole(self, released_as: Tier, contributors: int) -> None:
        """What a whole decision depends on besides."""
        self._put(self._facts.released_as, released_as)
        self._put(self._facts.contributors, contributors)

    def _put(self, fact: Fact, value: Any) -> None:
        if isinstance(fact, Group):
            for name, each in fact.facts.items():
                self._put(each, getattr(value, name))
        elif isinstance(fact, Maybe):
            self.put(fact.present, value is not None)
            if value is not None:
                self._put(fact.fact, value)
        elif isinstance(fact, SetFact):
            assert set(value) <= set(fact.members), "outside the closed list"
            for word, term in fact.members.items():
                self.put(term, word in value)
        elif isinstance(fact, StatedFact):
            self.put(fact.term, bool(value.strip()))
        elif isinstance(fact, CountedFact):
            self.put(fact.number.term, len(value))
        elif isinstance(fact, TruthFact | LongFact):
            self.put(fact.term, value)
        else:
            self.put(term_of(fact), value.hex() if isinstance(value, bytes) else str(value))

    def _code(self, text: str) -> Any:
        vocabulary: Vocabulary = self._facts.vocabulary
        if text in set(vocabulary):
            return vocabulary.word(text)
        return z3.BitVecVal(self._others.setdefault(text, _FIRST_FREE_CODE + len(self._others)), WORD_BITS)
