"""Other spellings of a person that a requester asks about besides the one in its file.

Rule: spellings are made on the asking side alone; a deposit holds one form per person. Each spelling is an identifier
of its own: it counts toward every limit and budget, and is shown to the requester before anything is sent. The list is
ordered, the likelier first, and cut at a length that the requester chooses; the same person gives the same list.

Each change has a cost; a spelling costs the sum of its changes, and cheaper ones come first. The costs are an order of
likelihood by judgement, measured by `python -m benchmarks.person`; they are no probabilities.

It cannot bring back what the file lacks: a name that was never written, or another birth date.
"""

import datetime
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations

from broker.protocol.errors import BadInput
from clients.identifiers import Rejected, canonicalise
from clients.identifiers.person import TYPE
from clients.spellings.person_letter_rules import RULES, SYSTEMS
from clients.spellings.person_name_families import FAMILIES

MAXIMUM_SPELLINGS = 200
_ALTERNATIVES = 40
"""Of one name, at most."""
_DEAREST = 14
"""Of one name: what costs more is two or three slips in one word."""

_FAMILY_COST, _NEXT_IN_FAMILY = 3, 1
_FEWER_NAMES_COST, _JOINED_COST = 4, 7
_SYSTEM_COST = 2
_DAY_AND_MONTH_COST, _DEFAULT_DATE_COST = 5, 7


@dataclass(frozen=True)
class Spelling:
    """One spelling of a person: a canonical text, and what was changed, without the name."""

    text: str = field(repr=False)
    change: str


@dataclass(frozen=True, order=True)
class _Choice:
    """One way to write a part of a person: cheaper ones sort first, and of equal ones by their letters."""

    cost: int
    written: str
    change: str


def spellings(text: str, limit: int) -> tuple[Spelling, ...]:
    """The likeliest spellings of one person, the one given first.

    Args:
        text: a canonical text of type person.
        limit: how many at most, from 1 (only the one given) to 200.

    Raises: BadInput for another type or limit.
    """
    if not 1 <= limit <= MAXIMUM_SPELLINGS:
        raise BadInput(f"Ask for 1 to {MAXIMUM_SPELLINGS} spellings a person.")
    if not text.startswith(f"{TYPE}/"):
        raise BadInput("Only persons have spellings.")
    found: dict[str, Spelling] = {text: Spelling(text, "as written")}
    for value, change in _by_cost(text.partition("|")[2]):
        if len(found) >= limit:
            break
        try:
            # In the form that a depositor who wrote it so would have come to.
            spelled = canonicalise(TYPE, value).text
        except Rejected:
            continue
        found.setdefault(spelled, Spelling(spelled, change))
    return tuple(found.values())


def _by_cost(value: str) -> Iterator[tuple[str, str]]:
    """All spellings of a canonical value with what was changed, the cheapest first."""
    name, _, date = value.rpartition(";")
    names = name.split()
    dates = _dates(datetime.date.fromisoformat(date))
    ways = {each: _ways(each) for each in names}
    frames = [
        (cost, change, [*(ways.get(each) or _ways(each) for each in kept), dates])
        for cost, change, kept in _name_lists(names)
    ]
    # Uniform-cost search: each step takes the cheapest combination and adds those with one part one choice further.
    queue = [
        (cost + sum(part[0].cost for part in parts), at, (0,) * len(parts))
        for at, (cost, _, parts) in enumerate(frames)
    ]
    heapq.heapify(queue)
    seen = {(at, places) for _, at, places in queue}
    while queue:
        cost, at, places = heapq.heappop(queue)
        _, change, parts = frames[at]
        chosen = [part[place] for part, place in zip(parts, places, strict=True)]
        changes = dict.fromkeys(each for each in (change, *(one.change for one in chosen)) if each)
        yield f"{' '.join(one.written for one in chosen[:-1])};{chosen[-1].written}", ", ".join(changes)
        for position, place in enumerate(places):
            further = (*places[:position], place + 1, *places[position + 1 :])
            if place + 1 < len(parts[position]) and (at, further) not in seen:
                seen.add((at, further))
                step = parts[position][place + 1].cost - parts[position][place].cost
                heapq.heappush(queue, (cost + step, at, further))


def _name_lists(names: Sequence[str]) -> Iterator[tuple[int, str, list[str]]]:
    """The names as they are, by another system, with one left out, and with two written as one: cost, change, names."""
    yield 0, "", list(names)
    for place, (system, rewrite) in enumerate(SYSTEMS.items()):
        yield _SYSTEM_COST + place, system, [rewrite(name) for name in names]
    if len(names) < 3:
        return
    for left_out in dict.fromkeys(names):
        kept = list(names)
        kept.remove(left_out)
        yield _FEWER_NAMES_COST, "one name fewer", kept
    for first, second in permutations(range(len(names)), 2):
        others = [name for place, name in enumerate(names) if place not in (first, second)]
        cost = _JOINED_COST - 4 if names[first].startswith("ABD") else _JOINED_COST
        yield cost, "two names written as one", [names[first] + names[second], *others]


def _ways(name: str) -> list[_Choice]:
    """The ways to write one name, cheapest first, itself before all."""
    best = {name: _Choice(0, name, "")}
    for place, other in enumerate(FAMILIES.get(name, ())):
        best[other] = _Choice(
            _FAMILY_COST + place * _NEXT_IN_FAMILY, other, "the same name in another spelling"
        )
    once = [_Choice(cost, other, "letters") for other, cost in _rewritten(name)]
    for choice in once:
        _keep_cheaper(best, choice)
    for choice in once:
        for other, cost in _rewritten(choice.written):
            if choice.cost + cost <= _DEAREST:
                _keep_cheaper(best, _Choice(choice.cost + cost, other, "letters"))
    return sorted(best.values())[:_ALTERNATIVES]


def _keep_cheaper(best: dict[str, _Choice], choice: _Choice) -> None:
    known = best.get(choice.written)
    if len(choice.written) > 1 and (known is None or choice < known):
        best[choice.written] = choice


def _rewritten(name: str) -> Iterator[tuple[str, int]]:
    """Each rule applied wherever it fits at once, and where it fits more than once, at each place alone."""
    for pattern, other, cost in RULES:
        places = list(pattern.finditer(name))
        if not places:
            continue
        yield pattern.sub(other, name), cost
        if len(places) > 1:
            for place in places:
                yield name[: place.start()] + place.expand(other) + name[place.end() :], cost + 1


def _dates(born: datetime.date) -> list[_Choice]:
    choices = {born.isoformat(): _Choice(0, born.isoformat(), "")}
    if born.day <= 12:
        swapped = born.replace(month=born.day, day=born.month).isoformat()
        choices.setdefault(swapped, _Choice(_DAY_AND_MONTH_COST, swapped, "day and month exchanged"))
    default = born.replace(month=1, day=1).isoformat()
    choices.setdefault(default, _Choice(_DEFAULT_DATE_COST, default, "1 January of the year"))
    return sorted(choices.values())
