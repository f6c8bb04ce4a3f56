"""A contributor without a network is asked for its own record, and a requester without one waits for its word."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.deposit_changes.releasing import Releasing
from clients.requester import Requester
from clients.requesting.answers import AnswerAwaited
from tests.carry_case import Carrying
from tests.threats import climbing
from tests.world import POLICE, World, phone

pytestmark = pytest.mark.all_only


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    for name, numbers in (("company-1", range(10)), ("company-2", range(5, 15)), ("ngo-1", range(12, 20))):
        made.deposit(name, numbers, **climbing.PAYLOAD)
    yield made
    made.close()


def test_a_release_is_asked_awaited_given_and_read_over_two_sticks(world: World) -> None:
    sources = world.climb(world.ask([phone(12)]).request_id)
    request = world.climb_prepared(sources.request_id)
    finding = world.finding_on(request)
    run = (request.payload.request_id, [finding], world.approvals(request, finding, *climbing.PEOPLE))
    stick = Carrying(world, POLICE)

    def asking() -> Requester:
        return Requester(stick.home, world.space, stick.caller(), world.clock, world.random(POLICE))

    with pytest.raises(AnswerAwaited):
        stick.take(lambda: asking().run(*run))

    # The contributor: one trip to see what it is asked, one to answer.
    offline = Carrying(world, "ngo-1")

    def said() -> Releasing:
        return Releasing(offline.home, world.space, offline.caller(), world.clock)

    (ask,) = (each for each in offline.take(lambda: said().asks()) if not each.answered)
    offline.take(lambda: said().answer(ask.permit_id, True, ""))
    assert offline.trips == 2
    assert world.log_kinds().count("RELEASE_ANSWERED") == 1

    # The requester is not told for ever that it waits: the same step takes another trip, and is answered.
    before = stick.trips
    answer = stick.take(lambda: asking().submit(request.payload.request_id))
    assert answer.records == 2
    assert stick.trips - before == 1
