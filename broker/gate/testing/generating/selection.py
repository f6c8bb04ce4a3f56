"""Which of very many candidates become boundary cases: those that kill a mutant which nothing kept so far kills.

Rule (issue 4): the candidate that shows most living mutants is tried first, and kept if it kills one; what it kills is
dead for the next. Equal bundles and stories keep equal cases: ties go to the candidate that was made first. A kill is
the gate's own decision under the mutated bundle.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from broker.gate.bundle import Bundle
from broker.gate.testing.boundaries import Boundary, named
from broker.gate.testing.changes import Change, changed, document
from broker.gate.testing.killing import words
from broker.gate.testing.mutants.rules import RuleMutant
from broker.gate.testing.mutants.tables import TableMutant
from broker.gate.testing.scenarios import Scenario, come_to
from broker.gate.testing.screening import Screen, questions
from broker.protocol.errors import BadInput


@dataclass(frozen=True)
class Candidate:
    """A story with a change, and what the rules come to."""

    base: Scenario
    change: Change
    scenario: Scenario

    @property
    def boundary(self) -> Boundary:
        """As a line of the file."""
        return Boundary(base=self.base.name, change=dict(self.change), expected=self.scenario.expected)


def candidate(bundle: Bundle, base: Scenario, facts: dict[str, object], change: Change) -> Candidate | None:
    """A candidate from a story, or None where no case can have such facts."""
    try:
        case = changed(facts, change)
    except BadInput:
        return None
    return Candidate(base, change, Scenario(named(base.name, change), case, come_to(bundle, case)))


def candidates(bundle: Bundle, story: Scenario, changes: Iterable[Change]) -> Iterator[Candidate]:
    """Every candidate that some changes make of a story, but for changes of what no rule reads."""
    facts = document(story.case)
    asked = list(questions(bundle, story.case, story.expected.tier))
    for change in changes:
        found = candidate(bundle, story, facts, change)
        if found and list(questions(bundle, found.scenario.case, story.expected.tier)) != asked:
            yield found


def choose_for_rules(
    bundle: Bundle, offered: Iterable[Candidate], living: Sequence[RuleMutant]
) -> tuple[list[Candidate], list[RuleMutant]]:
    """The candidates to keep for mutants of rules, and the mutants that live on."""
    screen = Screen(bundle, living)
    shown = [(each, screen.told_apart(each.scenario.case, each.scenario.expected.tier)) for each in offered]
    shown = [(each, mask) for each, mask in shown if mask]
    alive, kept = (1 << len(living)) - 1, list[Candidate]()
    mutated: dict[int, Bundle] = {}
    while shown:
        place = max(range(len(shown)), key=lambda index: (shown[index][1] & alive).bit_count())
        best, mask = shown.pop(place)
        if not mask & alive:
            break
        killed = 0
        for number in _numbers(mask & alive):
            if number not in mutated:
                mutated[number] = living[number].applied(bundle)
            if come_to(mutated[number], best.scenario.case) != best.scenario.expected:
                killed |= 1 << number
        alive &= ~killed
        if killed:
            kept.append(best)
    return kept, [living[number] for number in _numbers(alive)]


def choose_for_tables(
    bundle: Bundle, offered: Sequence[Candidate], living: Sequence[TableMutant]
) -> tuple[list[Candidate], list[TableMutant]]:
    """The candidates to keep for mutants of tables, and the mutants that live on."""
    spoken = [(each, words(each.scenario.case)) for each in offered]
    kept: list[tuple[Candidate, frozenset[str]]] = []
    left = []
    for mutant in living:
        mutated = mutant.applied(bundle)
        killing = (
            (each, said)
            for each, said in (*kept, *spoken)
            if mutant.read_for <= said and come_to(mutated, each.scenario.case) != each.scenario.expected
        )
        found = next(killing, None)
        if found is None:
            left.append(mutant)
        elif found not in kept:
            kept.append(found)
    return [each for each, _ in kept], left


def _numbers(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
