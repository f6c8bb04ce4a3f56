"""One line of the doctor: what was looked at, how it is, and what to do.

Rule: no secret, no identifier and no case number is in a line; ids of series, deposits and requests are not either.
"""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing is."""

    OK = "ok"
    LOOK = "look at"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """What was looked at (`about`), how it is, in words, and what to do where there is something to do."""

    about: str
    state: State
    words: str
    what_to_do: str = ""


def ok(about: str, words: str) -> Finding:
    """All is well."""
    return Finding(about, State.OK, words)


def look(about: str, words: str, what_to_do: str) -> Finding:
    """Works, and somebody should look at it."""
    return Finding(about, State.LOOK, words, what_to_do)


def broken(about: str, words: str, what_to_do: str) -> Finding:
    """Does not work until somebody does something."""
    return Finding(about, State.BROKEN, words, what_to_do)
