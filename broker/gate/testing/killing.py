"""Which mutants the scenarios kill: those under which some scenario comes to another outcome, tier or set of rules.

Rule (issue 4): a mutant is killed by a decision of the gate itself under the mutated bundle, never by the screen alone.
The first kill stops; scenarios that the mutated rule decides come first. It does not say whether a mutant that lives
differs at all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from broker.gate.bundle import Bundle
from broker.gate.decide import Case
from broker.gate.testing.mutants.rules import RuleMutant
from broker.gate.testing.mutants.tables import TableMutant
from broker.gate.testing.scenarios import Scenario, come_to
from broker.gate.testing.screening import Screen

Mutant = RuleMutant | TableMutant
MutantT = TypeVar("MutantT", RuleMutant, TableMutant)


@dataclass(frozen=True)
class Fate(Generic[MutantT]):
    """What became of a mutant: the name of a scenario that kills it, or None."""

    mutant: MutantT
    killed_by: str | None


def kills(bundle: Bundle, mutant: Mutant, scenarios: Sequence[Scenario]) -> str | None:
    """The name of the first scenario that comes to something else under the mutant; None if none does."""
    if not scenarios:
        return None
    mutated = mutant.applied(bundle)
    return next(
        (each.name for each in scenarios if come_to(mutated, each.case) != each.expected),
        None,
    )


def fates_of_rules(
    bundle: Bundle, mutants: Sequence[RuleMutant], scenarios: Sequence[Scenario]
) -> Iterator[Fate[RuleMutant]]:
    """The fate of each mutant of the rules. The scenarios must be passed by the bundle as it is."""
    screen = Screen(bundle, mutants)
    candidates: list[list[Scenario]] = [[] for _ in mutants]
    for scenario in scenarios:
        shown = screen.told_apart(scenario.case, scenario.expected.tier)
        for number, those in enumerate(candidates):
            if shown >> number & 1:
                those.append(scenario)
    for mutant, those in zip(mutants, candidates, strict=True):
        # Where the rule itself decides, its mutant is seen best.
        those.sort(key=lambda each, rule=mutant.rule: rule not in each.expected.rules)  # type: ignore[misc]
        yield Fate(mutant, kills(bundle, mutant, those))


def fates_of_tables(
    bundle: Bundle, mutants: Sequence[TableMutant], scenarios: Sequence[Scenario]
) -> Iterator[Fate[TableMutant]]:
    """The fate of each mutant of the tables. The scenarios must be passed by the bundle as it is."""
    spoken = [words(each.case) for each in scenarios]
    for mutant in mutants:
        those = [each for each, said in zip(scenarios, spoken, strict=True) if mutant.read_for <= said]
        yield Fate(mutant, kills(bundle, mutant, those))


def words(case: Case) -> frozenset[str]:
    """Every text in a case: a table that is read for another one is not read for it."""
    return frozenset(_words(case.model_dump(mode="json")))


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _words(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _words(each)
