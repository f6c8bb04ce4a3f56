"""A contributor and a requester without a network: the same steps, over files, with the same end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.contributor import Contributor
from clients.requester import Requester
from clients.transport import Awaited
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


def test_a_series_is_withdrawn_over_a_stick(world: World) -> None:
    carrying = Carrying(world, "company-1")
    acts = contributor(world, carrying, "company-1")
    agreed = world.conditions("company-1")
    series = carrying.take(lambda: acts.open_series(world.space, "phone", agreed))
    carrying.take(lambda: acts.deposit(series, [(phone(1), PLAINTEXT)]))
    before = carrying.trips
    # The broker first; then the holders, whose receipts come later; then the broker again.
    result = carrying.take(lambda: acts.withdraw(series, "A mistake"))
    assert not result.complete
    carrying.round_trip()
    result = carrying.take(lambda: acts.withdraw(series, "A mistake"))
    assert result.complete
    assert carrying.trips - before == 3
    assert world.log_kinds().count("SERIES_DESTROYED") == 1


def test_with_one_key_holder_down_the_others_are_named_and_the_request_goes_on(world: World) -> None:
    for name in ("company-1", "company-2", "ngo-1"):
        world.deposit(name, range(5))
    stick = Carrying(world, POLICE)
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    prepared = world.prepare([phone(1), phone(900)])
    finding = world.finding(prepared)
    stick.take(lambda: requester.file(prepared.request_id, [finding]))
    with pytest.raises(Awaited):
        requester.evaluate(prepared.request_id)
    # The sticks to holders 1 and 2 are written, and the one to 1 is lost for good.
    assert {each.header.recipient for each in stick.export()} == {"holder-1", "holder-2"}
    with pytest.raises(Awaited):
        requester.evaluate(prepared.request_id, (2, 3))
    stick.take(lambda: requester.evaluate(prepared.request_id, (2, 3)))
    answer = stick.take(lambda: requester.submit(prepared.request_id))
    assert set(answer.hits) == {phone(1)}
