"""Calendar months in UTC, as text such as 2026-09: the finest time that statistics know.

It reads no clock.
"""

from collections.abc import Iterator
from datetime import UTC, datetime


def month_of(seconds: int) -> str:
    """The month of a time in Unix seconds."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m}"


def end_of(month: str) -> int:
    """The first second after a month, Unix seconds."""
    return int(datetime.strptime(f"{later(month, 1)}-01 +0000", "%Y-%m-%d %z").timestamp())


def later(month: str, number: int) -> str:
    """The month `number` months later, or earlier where it is negative."""
    year, index = divmod(int(month[:4]) * 12 + int(month[5:]) - 1 + number, 12)
    return f"{year:04d}-{index + 1:02d}"


def between(first: str, last: str) -> Iterator[str]:
    """All months from `first` up to and including `last`, in order."""
    while first <= last:
        yield first
        first = later(first, 1)
