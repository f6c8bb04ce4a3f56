"""Contests at a real broker that nobody decides: named once the days of the rules are over, until they are decided."""

from collections.abc import Iterator

import pytest

from broker.protocol.messages.consent import ContestState
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.findings import Anomaly
from tests import auditing_case as case
from tests.auditing_case import DAY_SECONDS
from tests.unit.clients.auditing.conftest import contest
from tests.world import World

pytestmark = pytest.mark.all_only


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A broker, and an auditor who mirrors its log."""
    made = World(tmp_path_factory.mktemp("contests"))
    yield made
    made.close()


def _an_entry(world: World) -> None:
    """So that the log has come to now."""
    world.deposit("company-1", [world.now % 1_000])


def _stated(world: World) -> list[int]:
    return [each.index for each in case.entries(world) if each.kind == RecordKind.CONTEST_STATED]


def test_a_contest_is_named_from_the_day_after_its_time_until_it_is_decided(world: World) -> None:
    acts = contest(world, 30)
    begun = world.now
    contest(world, 31).decide("H-31", ContestState.WITHDRAWN, "It was not hers.")
    world.now = begun + world.bundle.limits.contest_decision_days * DAY_SECONDS
    _an_entry(world)
    assert case.found(world, Anomaly.CONTEST_UNDECIDED) == []
    world.now += 3 * DAY_SECONDS
    _an_entry(world)
    (finding,) = case.found(world, Anomaly.CONTEST_UNDECIDED, "ngo-1")
    assert finding.entries == (_stated(world)[0],)
    assert finding.detail == "Undecided, and overdue by 3 days; 30 are allowed."
    assert "narrowgate consent decide" in finding.meaning
    acts.decide("H-30", ContestState.UPHELD, "The recording says it.")
    assert case.found(world, Anomaly.CONTEST_UNDECIDED) == []


def test_without_the_rules_or_an_erased_statement_it_is_named_as_not_looked_for(world: World) -> None:
    contest(world, 30)
    world.now += 40 * DAY_SECONDS
    _an_entry(world)
    looked = case.looked(world, numbers={})
    assert Anomaly.CONTEST_UNDECIDED not in {each.anomaly for each in looked.findings}
    (left,) = (each for each in looked.left_out if Anomaly.CONTEST_UNDECIDED in each.anomalies)
    assert world.bundle.digest.hex() in left.reason
    contest(world, 31)
    case.mirror(world)
    assert len(case.found(world, Anomaly.CONTEST_UNDECIDED)) == 1


def test_one_of_which_a_statement_was_erased_before_it_was_mirrored_is_not_judged(world: World) -> None:
    contest(world, 30)
    contest(world, 31).decide("H-31", ContestState.UPHELD, "The recording says it.")
    with world.broker.database.read() as connection:
        size = world.broker.audit.size(connection)
    case.erase(world, size - 1)
    world.now += 40 * DAY_SECONDS
    _an_entry(world)
    looked = case.looked(world)
    assert Anomaly.CONTEST_UNDECIDED not in {each.anomaly for each in looked.findings}
    assert any(
        Anomaly.CONTEST_UNDECIDED in each.anomalies and "CONTEST_STATED" in each.reason
        for each in looked.left_out
    )
