"""How many persons are found, and how many strangers. Run: `python -m benchmarks.person [PERSONS] [SEED]`.

A list of made-up persons (`benchmarks.person_lists`), each written once by the agency that holds it and once by the
one that asks. For each number of spellings a query may have: the share of persons found (recall), in all and by
origin; false candidates, records of other persons that a query meets, per million records held; and namesakes, whom it
would meet if the birth date did not count.

Rule: both lists go through the canonical form and the spellings that agencies use, and tokens match exactly as
canonical texts do. The lists are ours, and who wrote the rules knew how they are made: real files will differ.
False candidates are for birth dates spread evenly over 50 years and names as varied as the list's.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.person_lists import Made, persons
from clients.identifiers import Rejected, canonicalise
from clients.spellings.person_spellings import spellings

PERSONS, SEED = 100_000, 6
QUERIES = 1_000
LIMITS = (1, 5, 10, 20, 50, 100)


@dataclass
class Measured:
    """What requests of one number of spellings come to."""

    asked: int = 0
    """Spellings, over all queries."""
    found: Counter[str] = field(default_factory=Counter)
    """Persons found, by origin."""
    strangers: int = 0
    """Records of other persons that a query met."""
    namesakes: int = 0
    """Records of other persons that it would have met by the names alone."""


def measured(made: Sequence[Made], queries: int, limits: Sequence[int]) -> dict[int, Measured]:
    """Ask about the first `queries` persons of a list in which all are held. By number of spellings."""
    held: defaultdict[str, list[int]] = defaultdict(list)
    for place, each in enumerate(made):
        text = _form(each.held)
        if text is not None:
            held[text].append(place)
    named: defaultdict[str, int] = defaultdict(int)
    for text, holders in held.items():
        named[_names(text)] += len(holders)
    results = {limit: Measured() for limit in limits}
    for place, each in enumerate(made[:queries]):
        text = _form(each.asked)
        spelled = () if text is None else spellings(text, max(limits))
        met = [held.get(one.text, ()) for one in spelled]
        for limit, result in results.items():
            records = {record for group in met[:limit] for record in group}
            result.asked += min(limit, len(spelled))
            result.found[each.origin] += place in records
            result.strangers += len(records - {place})
            names = {_names(one.text) for one in spelled[:limit]}
            result.namesakes += sum(named.get(name, 0) for name in names) - len(records & {place})
    return results


def _names(text: str) -> str:
    return text.rpartition(";")[0]


def _form(raw: str) -> str | None:
    """The canonical text; None for a row that is refused (a slip made a word such as "dit"), which finds nobody."""
    try:
        return canonicalise("person", raw).text
    except Rejected:
        return None


def main(number: int, seed: int) -> None:
    """Prints the table."""
    made = persons(number, seed)
    queries = min(QUERIES, number)
    asked = Counter(each.origin for each in made[:queries])
    print(f"{number:,} persons held, {queries:,} asked about, seed {seed}\n")
    found = f"recall | {' | '.join(asked)}"
    print(
        f"| spellings at most | on average | {found} | false candidates per million | namesakes per million |"
    )
    print(f"|---:|---:|---:|{'---:|' * len(asked)}---:|---:|")
    for limit, result in measured(made, queries, LIMITS).items():
        shares = " | ".join(f"{result.found[origin] / asked[origin]:.3f}" for origin in asked)
        strangers, namesakes = (
            each / queries / number * 1e6 for each in (result.strangers, result.namesakes)
        )
        recall = result.found.total() / queries
        print(
            f"| {limit} | {result.asked / queries:.1f} | {recall:.3f} | {shares} | {strangers:.2f} | {namesakes:.1f} |"
        )


if __name__ == "__main__":
    arguments = list(map(int, sys.argv[1:]))
    main(*(arguments + [PERSONS, SEED][len(arguments) :]))
