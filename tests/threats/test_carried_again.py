"""A file that a service died over, and one that somebody hands in again and again.

What must hold: a file whose answering was cut short has not come, and those after it wait; who finds a file and hands
it in does nothing in its sender's name that the sender did not do by it before.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

import broker.api.carried as at_broker
import clients.keyholder.api.carried as at_holder
from clients.carry import bundles
from clients.carry.bundles import WrittenBundle
from clients.contributor import Contributor
from clients.remote import RemoteConflict
from clients.transport import Awaited
from tests.carry_case import Carrying, deliver
from tests.world import PLAINTEXT, World, phone

pytestmark = pytest.mark.all_only


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


class Died(BaseException):
    """The service was killed."""


def killed_over(
    world: World, bundle: WrittenBundle, door: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service dies after the bundle was opened, before the first of its calls."""

    async def dies(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(door, "answer_all", dies)
        with pytest.raises(Died):
            deliver(world, bundle.header.recipient, bundle.data)


def test_files_after_one_that_the_broker_died_over_wait_and_nothing_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "MAXIMUM_CONTENT_BYTES", 2_000)
    stick = Carrying(world, "company-1")
    acts = Contributor(world.homes["company-1"], stick.caller(), world.clock, world.random("company-1"))
    series = stick.take(lambda: acts.open_series(world.space, "phone", world.conditions("company-1")))
    records = [(phone(number), PLAINTEXT) for number in range(20, 30)]
    with pytest.raises(Awaited):
        acts.deposit(series, records)
    written = stick.export()
    files = [each for each in written if each.header.recipient == "broker"]
    assert len(files) > 2
    killed_over(world, files[0], at_broker, monkeypatch)
    before = world.log_kinds()
    for later in files[1:]:
        with pytest.raises(RemoteConflict, match="Wait for"):
            stick.deliver(later)
    assert world.log_kinds() == before
    for each in written:
        stick.read_in(stick.deliver(each))
    assert stick.take(lambda: acts.deposit(series, records)).identifiers == 10


def test_files_after_one_that_a_key_holder_died_over_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "MAXIMUM_CONTENT_BYTES", 100)
    stick = Carrying(world, "company-1")
    acts = Contributor(world.homes["company-1"], stick.caller(), world.clock, world.random("company-1"))
    series = []
    for quarter in range(2):
        agreed = world.conditions("company-1", retain_until=world.now + (quarter + 1) * 30 * 86_400)
        with pytest.raises(Awaited):
            acts.open_series(world.space, "phone", agreed)
        series.append(agreed)
    stick.round_trip()
    for agreed in series:
        with pytest.raises(Awaited):
            acts.open_series(world.space, "phone", agreed)
    written = stick.export()
    first, second = (each for each in written if each.header.recipient == "holder-1")
    killed_over(world, first, at_holder, monkeypatch)
    with pytest.raises(RemoteConflict, match="Wait for"):
        stick.deliver(second)
    for each in written:
        stick.read_in(stick.deliver(each))
    for agreed in series:
        assert stick.take(partial(acts.open_series, world.space, "phone", agreed))
