"""What a draw came to, index by index: what `clients.draws.draw_check` found, in words for a person.

Rule: what could not be checked is None, which is another thing than wrong; the report's own faults say why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class DrawnIndex:
    """What came of one drawn index. None is what could not be checked; the report's faults say why."""

    identifier_type: str
    index: int
    identifier: str | None = field(default=None, repr=False)
    """None if it was not opened."""
    hash_fits: bool | None = None
    point_fits: bool | None = None
    in_batch: bool | None = None
    deposits: Mapping[bytes, bool] = field(default_factory=lambda: MappingProxyType({}))
    """By deposit_id, whether this identifier's token was sent for it; empty where tokens could not be checked."""
    in_case_file: bool | None = None

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with it, in words."""
        if self.identifier is None:
            return ("was not opened",)
        missing = sum(not sent for sent in self.deposits.values())
        found = (
            (self.hash_fits is False, "its salted hash is another identifier's"),
            (self.point_fits is False, "it does not give the point that was opened with it"),
            (self.in_batch is False, "its point is not the one at this place of the batch"),
            (missing > 0, f"its token was not sent for {missing} of {len(self.deposits)} deposits"),
            (self.in_case_file is False, "it is not in the case file"),
        )
        return tuple(words for wrong, words in found if wrong)


@dataclass(frozen=True)
class DrawReport:
    """What a draw came to. `faults` are those of the request as a whole."""

    draw_id: bytes
    request_id: bytes
    requester: str
    opened_at: int
    tokens_sent: bool
    """By the last audit of the log; without tokens there are none to check."""
    drawn: tuple[DrawnIndex, ...]
    faults: tuple[str, ...]

    @property
    def verified(self) -> bool:
        """Whether all that was opened verifies, and everything drawn was opened."""
        return not self.faults and not any(each.faults for each in self.drawn)
