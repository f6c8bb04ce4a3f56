"""Which mutants a case can tell from the rules at all: one question to the engine about all of them at once.

Rule: a mutant changes one rule, so a decision can only come out otherwise if the mutated rule holds, or errs, where
the rule as written does not, on a question that was asked. All mutants are asked as permits in one set, so the engine
names each that holds. What passes the screen is decided in full by `broker.gate.testing.killing`; what does not cannot
change the decision, since the same questions would be asked in the same order and answered alike.
"""

import json
import re
from collections.abc import Iterator, Sequence

import cedarpy

from broker.gate.bundle import Bundle, policy_set
from broker.gate.decide import Case
from broker.gate.engine import request_of
from broker.gate.facts import AdmitFacts, ReleaseFacts
from broker.gate.question import Question, about_deposit, about_series
from broker.gate.testing.mutants.rules import RuleMutant
from broker.protocol.messages.vocabulary import NAMES_CONTRIBUTORS, Tier

_ERRING = re.compile(r"policy `([^`]+)`")


def questions(bundle: Bundle, case: Case, decided_at: Tier | None) -> Iterator[Question]:
    """Every question that deciding the case asks, and perhaps some more. `decided_at` is the decision's tier."""
    if case.deposit is not None:
        yield about_deposit(bundle, case.deposit)
    elif case.admit is not None and decided_at is not None:
        asked = case.admit.tier
        # What was asked for below `sources` and decided as sources was asked at the lower tiers first (L15, L21).
        lowered = decided_at is Tier.SOURCES and asked not in NAMES_CONTRIBUTORS
        for tier in dict.fromkeys((asked, Tier.HITS, decided_at) if lowered else (decided_at,)):
            yield from _of_series(bundle, case.admit, tier, None)
    elif case.release is not None and case.tier is not None:
        yield from _of_series(bundle, case.release.admitted, case.tier, case.release)


def _of_series(
    bundle: Bundle, facts: AdmitFacts, tier: Tier, released: ReleaseFacts | None
) -> Iterator[Question]:
    action = "admit" if released is None else "release"
    for one in facts.series:
        yield about_series(bundle, action, facts, one, tier, released)


class Screen:
    """All mutants of a bundle's rules as one set of permits, beside the rules as written."""

    def __init__(self, bundle: Bundle, mutants: Sequence[RuleMutant]) -> None:
        self._bundle = bundle
        self._numbers: dict[str, set[int]] = {rule: set() for rule in bundle.syntax}
        self._swapped: set[int] = set()
        named = {rule: {**policy, "effect": "permit"} for rule, policy in bundle.syntax.items()}
        for number, mutant in enumerate(mutants):
            self._numbers[mutant.rule].add(number)
            if mutant.policy is not None:
                named[str(number)] = {**mutant.policy, "effect": "permit", "annotations": {}}
                if mutant.policy["effect"] != bundle.syntax[mutant.rule]["effect"]:
                    self._swapped.add(number)
        self._all = policy_set(named)

    def told_apart(self, case: Case, decided_at: Tier | None) -> int:
        """The mutants whose difference shows on this case: a bit for each, by its number."""
        found: set[int] = set()
        for each in questions(self._bundle, case, decided_at):
            holding, erring = self._ask(each)
            refused = any(rule in holding for rule in self._numbers if self._effect(rule) == "forbid")
            for rule, numbers in self._numbers.items():
                if self._effect(rule) == "forbid" or not refused:
                    found |= _otherwise(numbers, rule, holding)
                found |= _otherwise(numbers, rule, erring)
                if rule in holding:
                    found |= numbers & self._swapped
        return sum(1 << number for number in found)

    def _effect(self, rule: str) -> str:
        return self._bundle.rules[rule].effect

    def _ask(self, asked: Question) -> tuple[frozenset[str], frozenset[str]]:
        """The names in the set that hold, and those that err."""
        known = cedarpy.Entities.from_json_str(json.dumps(list(asked.entities)), schema=self._bundle.schema)
        request = request_of(asked.action, asked.entities, asked.context)
        answer = cedarpy.is_authorized(request, self._all, known, self._bundle.schema)
        erring = {match[1] for error in answer.diagnostics.errors if (match := _ERRING.search(error))}
        return frozenset(answer.diagnostics.reasons), frozenset(erring)


def _otherwise(numbers: set[int], rule: str, named: frozenset[str]) -> set[int]:
    """The mutants of a rule that are named where the rule is not, or the other way round."""
    there = {number for number in numbers if str(number) in named}
    return numbers - there if rule in named else there
