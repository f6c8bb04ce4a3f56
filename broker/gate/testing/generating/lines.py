"""Boundary cases made anew: from stories, the tables and the rules, and from the prover where those do not do.

Rule (issue 4): what is made depends on the bundle and its stories alone. Candidates are single changes to stories that
are allowed, one for each way of being allowed; those that kill a mutant are kept. For a mutant that lives and differs,
the prover's request is told as a small change to a story. Each case is expected to come out as the bundle decides it
today, which is a reviewer's to judge.
"""

from collections.abc import Callable, Iterator, Sequence

from broker.gate.bundle import Bundle
from broker.gate.testing.boundaries import Boundary, compact
from broker.gate.testing.changes import document
from broker.gate.testing.generating.edges import edges
from broker.gate.testing.generating.entries import entries
from broker.gate.testing.generating.selection import (
    Candidate,
    candidate,
    candidates,
    choose_for_rules,
    choose_for_tables,
)
from broker.gate.testing.generating.variations import Words, variations, words_of
from broker.gate.testing.generating.witnesses import told_from_a_story
from broker.gate.testing.killing import Mutant, fates_of_rules, fates_of_tables, kills
from broker.gate.testing.mutants.rules import rule_mutants
from broker.gate.testing.mutants.tables import table_mutants
from broker.gate.testing.prover import Prover
from broker.gate.testing.scenarios import Scenario
from broker.protocol.messages.vocabulary import Outcome

Told = Callable[[str], None]


def generate(
    bundle: Bundle, stories: Sequence[Scenario], told: Told = lambda remark: None
) -> tuple[Boundary, ...]:
    """The lines of the file. The bundle must pass its stories; `told` hears, in words, how far it is."""
    rules = [
        fate.mutant for fate in fates_of_rules(bundle, rule_mutants(bundle), stories) if not fate.killed_by
    ]
    told(f"{len(rules)} mutants of rules live through the stories.")
    bases = _bases(stories)
    at_edges = list(_at_edges(bundle, bases))
    varied = list(_varied(bundle, bases, words_of(bundle, [story.case for story in stories])))
    told(f"{len(at_edges) + len(varied)} candidates are tried on them.")
    kept, rules = choose_for_rules(bundle, [*at_edges, *varied], rules)
    scenarios = [*stories, *(each.scenario for each in kept)]
    told(f"{len(kept)} are kept, {len(rules)} mutants of rules live.")
    tables = [
        fate.mutant
        for fate in fates_of_tables(bundle, table_mutants(bundle), scenarios)
        if not fate.killed_by
    ]
    told(f"{len(tables)} mutants of tables live.")
    # What is read for any case is a number, and shows at an edge; the rest shows where its entry is named.
    of_numbers, numbers = choose_for_tables(bundle, at_edges, [each for each in tables if not each.read_for])
    named = [each for each in tables if each.read_for]
    of_entries, named = choose_for_tables(bundle, list(_of_entries(bundle, stories)), named)
    of_tables, tables = [*of_numbers, *of_entries], [*numbers, *named]
    told(f"{len(of_tables)} more are kept, {len(tables)} mutants of tables live.")
    proved = list(_from_prover(bundle, stories, [*rules, *tables]))
    told(f"{len(proved)} are told as the prover found them.")
    return compact(each.boundary for each in (*kept, *of_tables, *proved))


def _bases(stories: Sequence[Scenario]) -> list[Scenario]:
    """The first story of each way to be allowed: at a tier, by a gateway, before or after the matching; and of each
    kind of contributor that deposits."""
    found: dict[object, Scenario] = {}
    for story in stories:
        if story.expected.outcome is Outcome.ALLOW:
            kind = story.case.deposit and story.case.deposit.contributor.kind
            way = (story.expected.tier, story.expected.rules, story.case.release is None, kind)
            found.setdefault(way, story)
    return list(found.values())


def _first_of_action(bases: Sequence[Scenario], story: Scenario) -> bool:
    """Claims and findings that differ are refused whatever the gateway: one story of each action shows that."""
    action = [name for name in document(story.case) if name != "tier"]
    return story is next(base for base in bases if set(action) <= set(document(base.case)))


def _varied(bundle: Bundle, bases: Sequence[Scenario], words: Words) -> Iterator[Candidate]:
    for story in bases:
        facts, apart = document(story.case), _first_of_action(bases, story)
        yield from candidates(bundle, story, variations(story.case, facts, words, apart=apart))


def _at_edges(bundle: Bundle, bases: Sequence[Scenario]) -> Iterator[Candidate]:
    for story in bases:
        facts = document(story.case)
        found = edges(bundle, facts, apart=_first_of_action(bases, story))
        made = (candidate(bundle, story, facts, change) for change in found)
        yield from (each for each in made if each is not None)


def _of_entries(bundle: Bundle, stories: Sequence[Scenario]) -> Iterator[Candidate]:
    for story, change in entries(bundle, stories):
        made = candidate(bundle, story, document(story.case), change)
        if made is not None:
            yield made


def _from_prover(
    bundle: Bundle, stories: Sequence[Scenario], living: Sequence[Mutant]
) -> Iterator[Candidate]:
    prover, found = Prover(bundle), list[Scenario]()
    for mutant in living:
        if kills(bundle, mutant, found):
            continue
        witness = prover.proved(mutant).witness
        if witness is not None:
            made = told_from_a_story(bundle, mutant.applied(bundle), witness, stories)
            if made is not None:
                found.append(made.scenario)
                yield made
