"""The edges of a case's numbers: the two neighbouring values between which the decision changes.

Rule (issue 4): edges are searched for by deciding, not read from the rules, so that an edge is found wherever it is
made: by a limit, by a constant, by another fact or by the gate's own count. Between two values that are decided
differently the halves are tried until two neighbours are left. The values to start from are the bundle's numbers, and
for times the other times of the case and those a limit of time away from them.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from broker.gate.bundle import Bundle
from broker.gate.decide import Expected
from broker.gate.testing.changes import Change, changed, stated
from broker.gate.testing.scenarios import come_to
from broker.protocol.errors import BadInput

_A_TIME = 1_000_000_000
"""Numbers from here on are Unix seconds: no count of a case is so large, and no time so small."""
_DAY_SECONDS = 86_400
_YEAR_SECONDS = 366 * _DAY_SECONDS
_SMALL = (0, 1, 2, 3)


def edges(bundle: Bundle, facts: Mapping[str, Any], *, apart: bool = True) -> Iterator[Change]:
    """Both sides of every edge of every number of a case. `facts` are as `changes.document` gives them.

    Not `apart`: what claim and finding both say is changed in both alike only."""
    numbers = list(_numbers(facts, ""))
    limits = bundle.limits.model_dump()
    times = {value for _, value in numbers if value >= _A_TIME}
    spans = {_YEAR_SECONDS, *_spans(limits)}
    around = {time + sign * span for time in times for span in spans for sign in (-1, 0, 1)}
    counts = {*_SMALL, *limits.values(), *(limit + 1 for limit in limits.values())}
    seen: set[tuple[str, ...]] = set()
    for paths, value in (*_each(numbers, facts), *_together(numbers)):
        alone = tuple(stated(dict.fromkeys(paths, value), facts)) != paths
        if paths in seen or (alone and not apart):
            continue
        seen.add(paths)
        starts = around if value >= _A_TIME else {*counts, value}
        for edge in _search(_decider(bundle, facts, paths), sorted(starts)):
            yield dict.fromkeys(paths, edge)


def _spans(limits: Mapping[str, int]) -> Iterator[int]:
    """Limits of time in seconds; each says its unit in its name."""
    for name, limit in limits.items():
        if name.endswith("_days"):
            yield limit * _DAY_SECONDS
        elif name.endswith("_seconds"):
            yield limit


def _each(numbers: list[tuple[str, int]], facts: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], int]]:
    for path, value in numbers:
        yield (path,), value
        yield tuple(stated({path: value}, facts)), value


def _together(numbers: list[tuple[str, int]]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Identifiers with their points: as many points as identifiers, whatever their number."""
    for path, value in numbers:
        if path.endswith(".identifiers"):
            yield (path, path.removesuffix("identifiers") + "points"), value


def _decider(
    bundle: Bundle, facts: Mapping[str, Any], paths: tuple[str, ...]
) -> Callable[[int], Expected | None]:
    """What the rules come to with a number in a few places; None where no case can have it."""
    known: dict[int, Expected | None] = {}

    def decide(number: int) -> Expected | None:
        if number not in known:
            try:
                known[number] = come_to(bundle, changed(facts, dict.fromkeys(paths, number)))
            except BadInput:
                known[number] = None
        return known[number]

    return decide


def _search(decide: Callable[[int], Expected | None], starts: list[int]) -> Iterator[int]:
    found: set[int] = set()
    for low, high in itertools.pairwise(starts):
        if None in (decide(low), decide(high)) or decide(low) == decide(high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if decide(middle) == decide(low) else (low, middle)
        found |= {low, high}
    yield from sorted(found)


def _numbers(facts: Mapping[str, Any], at: str) -> Iterator[tuple[str, int]]:
    """Every number of a case with its path; of a list of like elements those of the first, for all of them."""
    for name, value in facts.items():
        path = f"{at}.{name}" if at else name
        if isinstance(value, int) and not isinstance(value, bool):
            yield path, value
        elif isinstance(value, Mapping):
            yield from _numbers(value, path)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield from _numbers(value[0], f"{path}.*")
