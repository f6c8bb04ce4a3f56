"""Which cells of a published list are withheld, so that nobody is pointed at and no withheld cell can be worked out.

Rule: a cell below `LEAST` is withheld. As the sum of a list is published, or can be had elsewhere, what is withheld of
one list must be at least two cells that come to at least `LEAST` together: otherwise the smallest cell that is still
told is withheld besides, until that holds. The reader of the report then knows the sum of the withheld cells alone,
which is a number that could have been published. A list whose sum is below `LEAST` is withheld whole, with its sum.

Withheld cells are not named, so nobody can tell them from empty ones: else five withheld cells beside a sum of twenty
would be known to be four each.

`LEAST` is 5: below five cases, whoever knows of two or three of them by another way knows all. It adds no noise:
numbers that are told are exact, so reports about periods that overlap may give away by subtraction what each withholds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LEAST = 5


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
        # Smallest first; of equal ones by name, so that the same list is always told the same way.
        for name in sorted(counted.keys() - withheld, key=lambda each: (counted[each], each)):
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
    return len(withheld) >= 2 and sum(withheld) >= LEAST
