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
    """One broker on SQLite, or several on PostgreSQL, faulted again and again. The seed is in the row's name."""

    ground: Ground
    folder: Path
    fault: str
    seed: int
    trial: bool = True
    database_url: str = ""
    """A file in the folder if it is none."""
    later_seconds: int = 0
    """How much later than the papers were signed each start is."""
    others: tuple[Path, ...] = ()
    """Folders of more brokers on the same database."""
    row: Row = field(init=False)
    oracle: Oracle = field(init=False)
    books: Books = field(init=False)
    writer: Writer = field(init=False)
    more: list[Writer] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.row = Row(f"{self.fault} (seed {self.seed})")
        self.start_all()
        self.oracle = Oracle(self.ground, random.Random(self.seed), lambda: self.writer.clock.value)
        self.books = Books(self.url)
        self.books.first = len(self.books.leaves())

    @property
    def url(self) -> str:
        """Of the database."""
        return self.database_url or f"sqlite:///{self.folder / DATABASE_FILE}"

    @property
    def ports(self) -> list[int]:
        """At which the brokers answer."""
        return [each.port for each in (self.writer, *self.more)]

    def start(self) -> Writer:
        """Start the broker on what is in its folder now. Raises Refused."""
        return Writer(self.folder, self.ground.now + self.later_seconds, self.trial)

    def start_all(self) -> None:
        """Start the broker, and the others. Raises Refused."""
        self.writer = self.start()
        self.more = [Writer(folder, self.ground.now, self.trial) for folder in self.others]

    def call(self, seconds: float, until: Callable[[], bool] = lambda: False, least: int = 0) -> int:
        """Make calls. Returns how many entries were acknowledged."""
        return self.oracle.run(self.ports, seconds, until, least)

    def restart(self) -> None:
        """After the fault: start, compare, make the same calls again, compare."""
        for each in (self.writer, *self.more):
            each.kill()
        try:
            self.start_all()
        except Refused:
            self.row.refused += 1
            raise
        self.go_on()

    def go_on(self) -> None:
        """After a fault that the broker outlives: compare, make the same calls again, compare."""
        self.row.rounds += 1
        self.note(self.compare())
        self.oracle.repeat(self.ports)
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
        for each in (self.writer, *self.more):
            each.stop()
        self.row.keep()
        assert (self.row.lost, self.row.doubled, self.row.torn) == (0, 0, 0)
        return self.row
