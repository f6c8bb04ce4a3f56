"""kill -9 of the broker under four callers: at random, and right before or after each part of a step.

A kill does not test syncs (AUDIT 4): tests/integration/test_durability.py shows that each answer comes after the sync
of its entry, and kills the broker before each single sync; tests/faults/test_disks.py lets syncs fail.
"""

from pathlib import Path

import pytest

from tests.faults.ground import Ground
from tests.faults.rounds import Rounds
from tests.faults.writer import Writer

pytestmark = pytest.mark.all_only

ADD, COMMIT = (
    "broker.store.log:SqlLogStorage._add@after",
    "sqlalchemy.engine.default:DefaultDialect.do_commit",
)
FAILPOINTS = {
    "before the head moves": ("broker.store.log:SqlLogStorage.grow", 1, 1),
    "after the head moved": ("broker.store.log:_check_moved@after", 1, 1),
    "after the leaf": (ADD, 2, 1),
    "after the record": (ADD, 2, 2),
    "after the charge": ("broker.store.ledger:charge@after", 1, 1),
    "after the hits": ("broker.store.ledger:settle@after", 1, 1),
    "after a step, before its group's commit": ("broker.store.group_commit:GroupCommit._leave", 1, 1),
    "before the commit": (COMMIT, 1, 1),
    "after the commit": (f"{COMMIT}@after", 1, 1),
    "before the answer": ("broker.api.requests:reply", 1, 1),
}
"""A function, how often a step calls it, and which of these calls is meant."""


def test_a_broker_killed_at_random_loses_and_doubles_nothing(ground: Ground, folder: Path) -> None:
    rounds = Rounds(ground, folder, "kill -9 at random", seed=1)
    for _ in range(6):
        rounds.call(seconds=rounds.chance.uniform(0.2, 1.0))
        rounds.writer.process.kill()
        rounds.restart()
    assert rounds.end().acknowledged > 10


@pytest.mark.parametrize("point", FAILPOINTS)
def test_a_broker_killed_within_a_step_loses_and_doubles_nothing(
    ground: Ground, folder: Path, point: str
) -> None:
    rounds = Rounds(ground, folder, f"kill -9 {point}", seed=list(FAILPOINTS).index(point))
    for _ in range(2):
        function, every, which = FAILPOINTS[point]
        rounds.writer.arm(function, every * rounds.chance.randint(0, 7) + which)
        rounds.call(seconds=60, until=lambda: not rounds.writer.alive)
        assert rounds.writer.died(), "the failpoint was reached"
        rounds.restart()
    rounds.end()


def test_a_broker_that_is_told_to_end_as_it_becomes_ready_ends(ground: Ground, folder: Path) -> None:
    """The signal came before the server took signals over, and was dropped once."""
    for _ in range(3):
        Writer(folder, ground.now).stop()
