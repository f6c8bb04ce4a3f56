"""What may be told of a number of requests: nothing when it is small, else about how many.

Rule (decision 0010), for each number by itself:

    1. a number below `least` is not told;
    2. else noise is added, two-sided geometric (`broker.matching.count`), a function of what is counted under the
       broker's key, so that counting again draws the same;
    3. a sum below `least` is not told; else it is rounded down to a multiple of `least`.

Rounding alone would not do: five cells of four beside a total of twenty give each other away, though none is told.
With noise every number that is told fits every number that could have been, so no difference of two tells a third. It
decides nothing about agencies or months: see `broker.statistics`.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from broker.matching.count import noise

Noise = Callable[[str, str], int]
"""What is added to the number of a list's name, such as ("tiers", "hits")."""


@dataclass(frozen=True)
class Suppression:
    """How the numbers of one series and month are told."""

    least: int
    noise: Noise

    def number(self, heading: str, name: str, exact: int) -> int | None:
        """What may be told of a number, or None."""
        if exact < self.least:
            return None
        noised = exact + self.noise(heading, name)
        return None if noised < self.least else noised - noised % self.least

    def cells(self, heading: str, names: Iterable[str]) -> dict[str, int]:
        """What may be told of how often each name comes: those that may be, in order of their names."""
        every = list(names)
        told = {name: self.number(heading, name, every.count(name)) for name in sorted(set(every))}
        return {name: number for name, number in told.items() if number is not None}


def noise_of(count_key: bytes, epsilon_millis: int, space_id: bytes, series_id: bytes, month: str) -> Noise:
    """The noise of one series and month.

    Args:
        count_key: the broker's secret for counts, 32 bytes.
        epsilon_millis: privacy loss of each number, in thousandths, at least 1."""

    def drawn(heading: str, name: str) -> int:
        about = "\x00".join((month, heading, name)).encode()
        digest = hashlib.sha256(b"narrowgate/v1/statistics\x00" + series_id + about).digest()
        return noise(count_key, space_id, digest, epsilon_millis)

    return drawn
