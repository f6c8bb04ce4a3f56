"""The mutation score of a bundle: how many of the mutants that differ from it its scenarios kill, and which live.

Rule (issue 4): killed, of all mutants that the prover can tell from the rules; at least 95%. Mutants that live are
named, each with the case that would kill it or the word that none would. Scenarios must pass before they may kill.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from broker.gate.bundle import Bundle
from broker.gate.testing.killing import Fate, Mutant, fates_of_rules, fates_of_tables
from broker.gate.testing.mutants.rules import RuleMutant, rule_mutants
from broker.gate.testing.mutants.tables import TableMutant, table_mutants
from broker.gate.testing.prover import Proved, Prover
from broker.gate.testing.scenarios import Scenario

LEAST_PERCENT = 95


@dataclass(frozen=True)
class Survivor:
    """A mutant that no scenario kills, and what the prover says of it."""

    mutant: Mutant
    proved: Proved


@dataclass(frozen=True)
class Score:
    """What became of all mutants."""

    mutants: int
    killed: int
    survivors: tuple[Survivor, ...]

    @property
    def different(self) -> tuple[Survivor, ...]:
        """The mutants that live though they differ: scenarios are missing."""
        return tuple(each for each in self.survivors if each.proved.different)

    @property
    def percent(self) -> float:
        """Killed, of those that differ; a mutant about which the prover could not tell counts as different."""
        counted = self.killed + len(self.different)
        return 100 * self.killed / counted if counted else 100.0

    @property
    def enough(self) -> bool:
        """Whether the score is what the project asks for."""
        return self.percent >= LEAST_PERCENT


def all_mutants(bundle: Bundle) -> tuple[Mutant, ...]:
    """Every mutant of the rules and of the tables."""
    return (*rule_mutants(bundle), *table_mutants(bundle))


def score(
    bundle: Bundle,
    mutants: Sequence[Mutant],
    scenarios: Sequence[Scenario],
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Score:
    """Try mutants against scenarios that the bundle passes; `told` hears how many are done, of how many."""
    killed, prover, survivors = 0, Prover(bundle), list[Survivor]()
    rules = [each for each in mutants if isinstance(each, RuleMutant)]
    tables = [each for each in mutants if isinstance(each, TableMutant)]
    fates: Iterator[Fate[RuleMutant] | Fate[TableMutant]] = chain(
        fates_of_rules(bundle, rules, scenarios), fates_of_tables(bundle, tables, scenarios)
    )
    for fate in fates:
        if fate.killed_by is None:
            survivors.append(Survivor(fate.mutant, prover.proved(fate.mutant)))
        else:
            killed += 1
        told(killed + len(survivors), len(mutants))
    return Score(len(mutants), killed, tuple(survivors))
