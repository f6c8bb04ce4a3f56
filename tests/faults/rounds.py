"""Rounds of one fault on one broker: calls, the fault, a start, the comparison, the same calls again, the comparison.

Rule: after each round everything that was ever acknowledged on this broker is looked for again. What a test may say of
a fault is in its row: nothing lost, nothing doubled, no row without its entry; or the start refused.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from broker.folder import DATABASE_FILE
from tests.faults.books import Books
from tests.faults.ground import Ground
from tests.faults.oracle import Judgement, Oracle
from tests.faults.table import Row
from tests.faults.writer import Refused, Writer


@dataclass
class Rounds:
    """One broker on SQLite, faulted again and again. The seed makes the draws; it is in the row's name."""

    ground: Ground
    folder: Path
    fault: str
    seed: int
    trial: bool = True
    row: Row = field(init=False)
    oracle: Oracle = field(init=False)
    books: Books = field(init=False)
    writer: Writer = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.row = Row(f"{self.fault} (seed {self.seed})")
        self.writer = self.start()
        self.oracle = Oracle(self.ground, random.Random(self.seed), lambda: self.writer.clock.value)
        self.books = Books(self.url)
        self.books.first = len(self.books.leaves())

    @property
    def url(self) -> str:
        """Of the database."""
        return f"sqlite:///{self.folder / DATABASE_FILE}"

    def start(self) -> Writer:
        """Start the broker on what is in its folder now. Raises Refused."""
        return Writer(self.folder, self.ground.now, self.trial)

    def call(self, seconds: float, until: Callable[[], bool] = lambda: False) -> int:
        """Make calls. Returns how many entries were acknowledged."""
        return self.oracle.run([self.writer.port], seconds, until)

    def restart(self) -> None:
        """After the fault: start, compare, make the same calls again, compare."""
        self.row.rounds += 1
        self.writer.kill()
        try:
            self.writer = self.start()
        except Refused:
            self.row.refused += 1
            raise
        self.note(self.compare())
        self.oracle.repeat([self.writer.port])
        found = self.compare()
        assert found.taken_unanswered == 0, "what was repeated is answered"
        self.note(found)

    def compare(self) -> Judgement:
        """What became of all that was acknowledged."""
        return self.oracle.judge(self.books)

    def note(self, found: Judgement) -> None:
        """Put a comparison into the row."""
        self.row.acknowledged = found.acknowledged
        self.row.lost += len(found.lost)
        self.row.doubled += found.doubled
        self.row.torn += len(found.torn)
        self.row.taken_unanswered += found.taken_unanswered
        assert not found.torn, found.torn

    def end(self) -> Row:
        """Stop, keep the row, and show that nothing was lost or doubled."""
        self.writer.stop()
        self.row.keep()
        assert (self.row.lost, self.row.doubled, self.row.torn) == (0, 0, 0)
        return self.row
