"""The space of all requests: the variables, the rules of one or two bundles over them, and the solver that searches it.

Rule: a search ends with a request or with the certainty that there is none; a solver that gives up proves nothing and
says so. One solver holds what is true of every request; each search adds to it and takes back.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import z3

from broker.gate.bundle import Bundle
from broker.gate.proving.facts import Builder
from broker.gate.proving.leaves import Assignment
from broker.gate.proving.terms import words_of
from broker.gate.proving.values import Vocabulary
from broker.gate.proving.verdict import Rules, Verdicts
from broker.gate.proving.witness import example_of
from broker.protocol.errors import VerificationFailed

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
"""What a rule may compare with; prose about the law is not."""
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
        most = max(bundle.limits.count_contributors for bundle in bundles)
        self.facts = Builder(self.vocabulary, self.words, most).facts()
        example = example_of(self.facts, self._some_request())
        self.verdicts = [Verdicts(bundle, self.facts, example) for bundle in bundles]
        self._solver = z3.Solver()
        self._solver.set("timeout", _TIME_LIMIT_MILLISECONDS)
        self._solver.add(*self.facts.well_formed())
        self._settled = set[str]()

    def keep(self, formula: z3.BoolRef) -> None:
        """Have the solver know a formula for good, so that searches about it and its like start at once."""
        self._solver.add(z3.FreshBool() == formula)

    def find(self, *wanted: z3.BoolRef, preferring: Iterable[z3.BoolRef] = ()) -> Assignment | None:
        """A request for which all of this holds, and as much of what is preferred as can; None when there is none.

        Raises VerificationFailed when the solver cannot tell."""
        self._settle()
        self._solver.push()
        depth = 1
        try:
            self._solver.add(*wanted)
            if not self._satisfiable():
                return None
            model = self._solver.model()
            for preference in preferring:
                self._solver.push()
                self._solver.add(preference)
                if self._satisfiable():
                    model, depth = self._solver.model(), depth + 1
                else:
                    self._solver.pop()
        finally:
            self._solver.pop(depth)
        return lambda term: model.eval(term, model_completion=True)

    def _satisfiable(self) -> bool:
        answer = self._solver.check()
        if answer == z3.unknown:
            raise VerificationFailed(
                "The prover ran out of time, so nothing is proved. Simplify the rule that was changed last."
            )
        return bool(answer == z3.sat)

    def _settle(self) -> None:
        """Words may be met while rules are read: what types exclude is said of each."""
        new = [word for word in self.vocabulary if word not in self._settled]
        self._solver.add(*self.facts.excluded(new))
        self._settled.update(new)

    def _some_request(self) -> Assignment:
        """A request with all facts that may be missing."""
        solver = z3.Solver()
        solver.add(*self.facts.well_formed(), *self.facts.excluded(self.vocabulary), *self.facts.optional())
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
    return {word for word in _strings(entries) if _NAME.match(word)}


def _strings(entry: Any) -> Iterable[str]:
    if isinstance(entry, str):
        yield str(entry)
    elif isinstance(entry, Mapping):
        for name, each in entry.items():
            yield from _strings(name)
            yield from _strings(each)
    elif isinstance(entry, list | tuple):
        for each in entry:
            yield from _strings(each)
