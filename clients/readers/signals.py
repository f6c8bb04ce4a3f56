"""What a reader hands on: signals and refused rows.

Rule: a refused row has its line number and a reason, never its value; the rest of the file goes in (SIGNALS
5). A signal is one identifier in canonical form with the other columns of its row.

It reads nothing and seals nothing: see `clients.readers.record` for what is sealed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from clients.identifiers import Canonical

REFERENCE = "reference"
"""The attribute that holds the contributor's own reference of a signal, such as a case number."""


@dataclass(frozen=True)
class Signal:
    """One identifier of one row. `line` counts from 1, header included; attributes are (name, value).

    `forbidden` says why its author's marking forbids to hand it on, None if nothing does. `unit` is what `line` counts.
    """

    line: int
    canonical: Canonical
    attributes: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    forbidden: str | None = None
    unit: str = "line"


@dataclass(frozen=True)
class RefusedRow:
    """A row, or one identifier of it, that did not go in.

    `column` is the place of the identifier in its row, from 1, where one is at fault. `damaged` says that the row
    itself cannot be read: many of those in a row are no table (`clients.readers.giving_up`). `unit` is what `line`
    counts, such as the objects of a bundle.
    """

    line: int
    reason: str
    column: int | None = None
    damaged: bool = False
    unit: str = "line"


def grouped(signals: Iterable[Signal]) -> dict[str, list[Signal]]:
    """Signals by the text of their canonical form, in order of appearance: one record per identifier."""
    groups: dict[str, list[Signal]] = {}
    for signal in signals:
        groups.setdefault(signal.canonical.text, []).append(signal)
    return groups
