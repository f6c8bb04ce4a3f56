"""Whether a log's clock was put back since its newest entry; what time that had is kept, not read each time.

Rule (AUDIT 3, promise 6): order is the index and clock time is data; a clock that goes back is an entry of its own,
right behind the one whose time shows it. A root commits to every leaf below it, so the time kept beside a head is that
of any log with that very head, whatever became of the transaction it came from. It appends nothing.
"""

from broker.protocol import leaves
from broker.translog.storage import Head, LogStorage


class NewestTime:
    """The time of the newest entry, beside the head it ends."""

    def __init__(self) -> None:
        self._kept: tuple[Head, int] | None = None

    def put_back(self, storage: LogStorage, before: Head, after: Head, recorded_at: int) -> int | None:
        """The time of the entry before, where an entry that led from head to head is earlier than that by more than
        `leaves.CLOCK_TOLERANCE_SECONDS`; else None.

        Raises VerificationFailed when the entry before is no leaf."""
        kept = self._kept
        if kept is not None and kept[0] == before:
            newest = kept[1]
        else:
            newest = max(
                (
                    leaves.parse_leaf(leaf).recorded_at
                    for leaf in storage.leaves(before.size - 1, before.size)
                ),
                default=0,
            )
        self._kept = (after, recorded_at)
        return newest if newest - recorded_at > leaves.CLOCK_TOLERANCE_SECONDS else None
