"""A witness that stops or dies under four callers: nothing leaves without it, and nothing is lost or doubled.

Witnesses that lie, fork or step in time: tests/threats/test_witnesses.py. A witness that is killed as it answers:
tests/integration/test_witness_processes.py.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.ground import Ground
from tests.faults.rounds import Rounds
from tests.faults.witness import WitnessProcess

pytestmark = pytest.mark.all_only


@pytest.fixture
def witness(ground: Ground, tmp_path: Path) -> Iterator[WitnessProcess]:
    process = WitnessProcess(tmp_path / "witness", ground.folder)
    yield process
    process.kill()


def test_a_witness_that_is_stopped_lets_nothing_out_and_loses_nothing(
    ground: Ground, witness: WitnessProcess, tmp_path: Path
) -> None:
    folder = ground.copy(tmp_path / "broker", *witness.settings)
    rounds = Rounds(ground, folder, "witness stopped, the broker killed meanwhile", seed=51, trial=False)
    for _ in range(2):
        rounds.call(seconds=0.5, least=4)
        witness.freeze()
        before = rounds.oracle.given_out
        rounds.call(seconds=1)
        assert rounds.oracle.given_out == before, "no permit and no disclosure leaves"
        assert len(rounds.oracle.steps) > len(rounds.oracle.acknowledged), "calls were made"
        rounds.writer.process.kill()
        witness.thaw()
        rounds.restart()
    rounds.end()


def test_a_witness_that_is_killed_remembers_and_the_log_goes_on_from_there(
    ground: Ground, witness: WitnessProcess, tmp_path: Path
) -> None:
    folder = ground.copy(tmp_path / "broker", *witness.settings)
    rounds = Rounds(ground, folder, "witness killed, the broker goes on", seed=52, trial=False)
    for _ in range(3):
        rounds.call(seconds=0.7, least=4)
        witness.kill()
        assert witness.seen() > rounds.oracle.given_out
        rounds.call(seconds=1)
        witness.start()
        rounds.go_on()
    rounds.end()
