"""The space of all requests: the variables, the rules of one or two bundles over them, and the solver that searches it.

Rule: a search ends with a request or with the certainty that there is none; a solver that gives up proves nothing and
says so. One solver holds what is true of every request; each search adds to it and takes back.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import z3

from broker.gate.bundle import Bundle
from broker.gate.proving.facts import Builder
from broker.gate.proving.leaves import Assignment, Maybe
from broker.gate.proving.terms import words_of
from broker.gate.proving.values import Vocabulary
from broker.gate.proving.verdict import Rules, Verdicts
from broker.gate.proving.witness import example_of
from broker.protocol.errors import VerificationFailed

_TIME_LIMIT_MILLISECONDS = 60_000


class Space:
    """All requests, as the given bundles see them. `more` are further rules that will be asked about."""

    def __init__(self, bundles: Sequence[Bundle], more: Iterable[Rules] = ()) -> None:
        self.vocabulary = Vocabulary()
        self.words = set().union(
            *(words_of(list(rules.values())) for rules in (*(each.syntax for each in bundles), *more)),
            *(_catalogue_words(bundle) for bundle in bundles),
        )
        for word in sorted(self.words):
            self.vocabulary.word(word)
        self.facts = Builder(self.vocabulary, self.words).facts()
        example = example_of(self.facts, self._some_request())
        self.verdicts = [Verdicts(bundle, self.facts, example) for bundle in bundles]
        self._solver = z3.Solver()
        self._solver.set("timeout", _TIME_LIMIT_MILLISECONDS)
        self._solver.add(*self.facts.well_formed())
        self._settled = set[str]()

    def keep(self, formula: z3.BoolRef) -> None:
        """Have the solver know a formula for good, so that searches about it and its like start at once."""
        self._solver.add(z3.FreshBool() == formula)

    def find(self, *wanted: z3.BoolRef) -> Assignment | None:
        """A request for which all of this holds; None when there is none.

        Raises VerificationFailed when the solver cannot tell."""
        self._settle()
        self._solver.push()
        try:
            self._solver.add(*wanted)
            answer = self._solver.check()
            if answer == z3.unsat:
                return None
            if answer != z3.sat:
                raise VerificationFailed(
                    "The prover ran out of time, so nothing is proved. Simplify the rule that was changed last."
                )
            model = self._solver.model()
        finally:
            self._solver.pop()
        return lambda term: model.eval(term, model_completion=True)

    def _settle(self) -> None:
        """Words may be met while rules are read: what types exclude is said of each."""
        new = [word for word in self.vocabulary if word not in self._settled]
        self._solver.add(*self.facts.excluded(new))
        self._settled.update(new)

    def _some_request(self) -> Assignment:
        solver = z3.Solver()
        verified = self.facts.request.facts["verified"]
        assert isinstance(verified, Maybe)
        solver.add(*self.facts.well_formed(), *self.facts.excluded(self.vocabulary), verified.present)
        assert solver.check() == z3.sat
        model = solver.model()
        return lambda term: model.eval(term, model_completion=True)


def _catalogue_words(bundle: Bundle) -> set[str]:
    entries = [
        *bundle.instruments,
        *(each.model_dump() for each in bundle.instruments.values()),
        bundle.lanes,
        bundle.regions.model_dump(),
    ]
    return set(_strings(entries))


def _strings(entry: Any) -> Iterable[str]:
    if isinstance(entry, str):
        yield str(entry)
    elif isinstance(entry, Mapping):
        for name, each in entry.items():
            yield from _strings(name)
            yield from _strings(each)
    elif isinstance(entry, list | tuple) and not isinstance(entry, datetime.date):
        for each in entry:
            yield from _strings(each)
