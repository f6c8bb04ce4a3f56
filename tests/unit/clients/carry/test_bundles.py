"""A contributor and a requester without a network: the same steps, over files, with the same end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.contributor import Contributor
from clients.requester import Requester
from tests.carry_case import Carrying
from tests.world import PLAINTEXT, POLICE, World, phone

pytestmark = pytest.mark.all_only


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def contributor(world: World, carrying: Carrying, name: str) -> Contributor:
    return Contributor(world.homes[name], carrying.caller(), world.clock, world.random(name))


def test_a_deposit_and_a_request_travel_as_files(world: World) -> None:
    world.deposit("company-2", range(3, 8))
    world.deposit("ngo-1", range(4, 12))
    carrying = Carrying(world, "company-1")
    agreed = world.conditions("company-1")
    acts = contributor(world, carrying, "company-1")
    series = carrying.take(lambda: acts.open_series(world.space, "phone", agreed))
    assert carrying.trips == 3
    records = [(phone(each), PLAINTEXT) for each in range(5)]
    result = carrying.take(lambda: acts.deposit(series, records))
    assert result.identifiers == 5
    assert carrying.trips == 5

    stick = Carrying(world, POLICE)
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    prepared = world.prepare([phone(1), phone(4), phone(900)])
    finding = world.finding(prepared)
    answer = stick.take(lambda: requester.run(prepared.request_id, [finding]))
    assert set(answer.hits) == {phone(1), phone(4)}
    assert stick.trips == 3
