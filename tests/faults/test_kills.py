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

FAILPOINTS = {
    "before the leaf": "broker.store.log:SqlLogStorage.append_leaves",
    "after the leaf": "broker.store.log:SqlLogStorage.append_leaves@after",
    "after the nodes": "broker.store.log:SqlLogStorage.put_nodes@after",
    "after the head moved": "broker.store.log:SqlLogStorage.set_head@after",
    "after the record": "broker.audit.log:store_record@after",
    "after the charge": "broker.store.ledger:charge@after",
    "after the hits": "broker.store.ledger:settle@after",
    "before the commit": "sqlalchemy.engine.default:DefaultDialect.do_commit",
    "after the commit": "sqlalchemy.engine.default:DefaultDialect.do_commit@after",
    "before the answer": "broker.api.requests:reply",
}


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
        rounds.writer.arm(FAILPOINTS[point], rounds.chance.randint(1, 8))
        rounds.call(seconds=60, until=lambda: not rounds.writer.alive)
        assert not rounds.writer.alive, "the failpoint was reached"
        rounds.restart()
    rounds.end()


def test_a_broker_that_is_told_to_end_as_it_becomes_ready_ends(ground: Ground, folder: Path) -> None:
    """The signal came before the server took signals over, and was dropped once."""
    for _ in range(3):
        Writer(folder, ground.now).stop()
