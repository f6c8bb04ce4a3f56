"""What a monitor reads of a broker: how cosigning goes, and which witness fails."""

from pathlib import Path

import pytest

from broker.protocol.errors import Unavailable
from tests.broker_case import Case
from tests.world import BROKER, WITNESSES, Call, World

COSIGNING = "narrowgate_cosign"


def test_in_a_trial_there_is_no_metric_of_cosigning(ready: Case) -> None:
    assert COSIGNING not in ready.raw("GET", "/metrics", {}, b"").body.decode()


@pytest.mark.all_only
def test_metrics_tell_how_cosigning_goes(tmp_path: Path) -> None:
    world = World(tmp_path, witnesses=2, quorum=2)
    try:
        behind = metrics_of(world)
        assert behind["narrowgate_cosigned_entries"] < behind["narrowgate_log_entries"]
        world.broker.witnesses.published()  # what a broker that serves does every minute
        before = metrics_of(world)
        assert before["narrowgate_cosigned_entries"] == before["narrowgate_log_entries"]
        assert before["narrowgate_cosigned_age_seconds"] < 60
        world.take_down(WITNESSES[2])
        with pytest.raises(Unavailable):
            world.broker.witnesses.cosign(int(before["narrowgate_log_entries"]))
        after = metrics_of(world)
        assert after["narrowgate_cosigning_failed_total"] == before["narrowgate_cosigning_failed_total"] + 1
        assert after['narrowgate_witness_failed_total{witness="witness-2.example.org"}'] >= 1
        assert after['narrowgate_witness_failed_total{witness="witness-1.example.org"}'] == 0
    finally:
        world.close()


def metrics_of(world: World) -> dict[str, float]:
    text = world.wire.deliver(Call("GET", f"{BROKER}/metrics", {}, b"")).body.decode()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}
