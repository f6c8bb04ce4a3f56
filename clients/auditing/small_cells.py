"""Which cells of a published list are withheld, so that nobody is pointed at and no withheld cell can be worked out.

Rule: a cell below `LEAST` is withheld. As the sum of a list is published, or can be had elsewhere, small cells are
joined by larger ones, until one at least is among them and all that is withheld comes to `ENOUGH`: then each small cell
could be any number from 1 to 4, and the rest would still be larger. The larger ones are taken by name and not by size,
since a reader who knows that the smallest was taken can often tell both. A list whose sum is below `LEAST` is withheld
whole, with its sum. `tests/unit/clients/auditing/test_small_cells.py` looks in every list of a size for a cell that a
reader who knows this rule could work out.

Withheld cells are not named, so nobody can tell them from empty ones: else five withheld cells beside a sum of twenty
would be known to be four each.

`LEAST` is 5: below five cases, whoever knows of two or three of them by another way knows all. It adds no noise:
numbers that are told are exact, so reports about periods that overlap may give away by subtraction what each withholds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LEAST = 5
ENOUGH = 2 * LEAST - 1
"""A small cell, at most LEAST - 1, and a larger one, at least LEAST: whatever each of them is."""


@dataclass(frozen=True)
class Told:
    """What may be told of a list: cells by name, whether others were withheld, and the sum, None if it was too."""

    cells: Mapping[str, int]
    withheld: bool
    total: int | None


def suppress(cells: Mapping[str, int]) -> Told:
    """What may be told of a list of counts. Cells of 0 are left out."""
    counted = {name: number for name, number in cells.items() if number}
    withheld = {name for name, number in counted.items() if number < LEAST}
    if withheld:
        for name in sorted(counted.keys() - withheld):
            if _safe([counted[each] for each in withheld]):
                break
            withheld.add(name)
    summed = sum(counted.values())
    return Told(
        cells={name: counted[name] for name in sorted(counted.keys() - withheld)},
        withheld=bool(withheld),
        total=None if 0 < summed < LEAST else summed,
    )


def nothing_of(cells: Mapping[str, int]) -> Told:
    """A list that is withheld whole, because the number it would add up to is."""
    return Told({}, any(cells.values()), None)


def _safe(withheld: list[int]) -> bool:
    return max(withheld) >= LEAST and sum(withheld) >= ENOUGH
