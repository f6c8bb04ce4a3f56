"""The broker's clock steps under four callers: order is the index, and a step is taken once whatever the time.

What a party whose clock is off may do: tests/threats/test_clocks.py.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from broker.protocol.leaves import parse_leaf
from tests.faults.ground import Ground
from tests.faults.rounds import Rounds

pytestmark = pytest.mark.all_only

STEP_SECONDS = 25
"""Callers may be off by a minute, and sign by the time before a step."""


def test_a_clock_that_steps_moves_no_entry_and_doubles_none(ground: Ground, folder: Path) -> None:
    name = "clock steps back and forth, then the broker is killed"
    rounds = Rounds(ground, folder, name, seed=61, later_seconds=STEP_SECONDS)
    for _ in range(3):
        with stepping(rounds, ground.now):
            rounds.call(seconds=1, least=12)
        rounds.writer.process.kill()
        rounds.restart()
    times = [parse_leaf(leaf).recorded_at for leaf in leaves(rounds.url)]
    assert times != sorted(times), "the clock stepped back, and the order stayed that of the index"
    rounds.end()


@contextmanager
def stepping(rounds: Rounds, about: int) -> Iterator[None]:
    """Inside the block the broker's clock jumps, thirty times a second."""
    ended = threading.Event()

    def step() -> None:
        while not ended.wait(0.03):
            rounds.writer.clock.value = about + rounds.chance.randint(-STEP_SECONDS, STEP_SECONDS)

    thread = threading.Thread(target=step)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def leaves(url: str) -> list[bytes]:
    """In the order of their index."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = list(connection.execute(text("SELECT leaf FROM log_leaves ORDER BY leaf_index")).scalars())
    engine.dispose()
    return found
