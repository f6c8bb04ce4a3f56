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
from broker.protocol.messages.requests import TokensAnswered
from clients.carry import bundles
from clients.carry.bundles import WrittenBundle
from clients.contributor import Contributor
from clients.deposit_changes.releasing import Releasing
from clients.deposit_changes.taking_back import TakingBack
from clients.remote import RemoteConflict
from clients.requester import Requester
from clients.requesting.request_folder import RequestFolder
from clients.requesting.retractions import Retractions
from clients.transport import Awaited
from tests.carry_case import Carrying, deliver
from tests.world import PLAINTEXT, POLICE, World, phone

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


def answered(world: World, stick: Carrying) -> bytes:
    """A request of the unit that was answered over the stick. Returns its id."""
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    prepared = world.prepare([phone(1), phone(900)])
    finding = world.finding(prepared)
    assert set(stick.take(lambda: requester.run(prepared.request_id, [finding])).hits) == {phone(1)}
    return prepared.request_id


def test_who_hands_a_found_file_in_again_reads_nothing_in_its_senders_name(world: World) -> None:
    for name in ("company-1", "company-2", "ngo-1"):
        world.deposit(name, range(5))
    stick = Carrying(world, POLICE)
    request_id = answered(world, stick)
    last = stick.files[-1]
    assert "tokens of a request" in [each.step for each in last.header.steps]
    before = world.log_kinds()
    for _ in range(3):
        assert deliver(world, "broker", last.data).status == 200
    assert world.log_kinds() == before, "nobody knows who brought it"

    # The requester itself, asking again, is a reading.
    for name in stick.home.vault.names("carry/answers"):
        stick.outbox.forget_answer(bytes.fromhex(name))
    url = f"{world.space.broker_origin}/v1/requests/{request_id.hex()}/tokens"
    kept = RequestFolder(stick.home.vault, request_id).tokens()
    assert kept is not None
    with pytest.raises(Awaited):
        stick.caller().within(world.space.space_id).post(url, kept.submission, TokensAnswered)
    stick.round_trip()
    assert world.log_kinds()[len(before) :] == ["DISCLOSURE_READ"]


def test_a_lost_file_that_arrives_after_all_is_no_second_reading(world: World) -> None:
    for name in ("company-1", "company-2", "ngo-1"):
        world.deposit(name, range(5))
    stick = Carrying(world, POLICE)
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    prepared = world.prepare([phone(1), phone(900)])
    finding = world.finding(prepared)
    stick.take(lambda: requester.file(prepared.request_id, [finding]))
    stick.take(lambda: requester.evaluate(prepared.request_id))
    with pytest.raises(Awaited):
        requester.submit(prepared.request_id)
    [lost] = stick.export()
    [again] = stick.export(again=True)
    stick.read_in(stick.deliver(again))
    before = world.log_kinds()
    for _ in range(2):
        assert deliver(world, "broker", lost.data).status == 200
    assert world.log_kinds() == before
    assert set(requester.submit(prepared.request_id).hits) == {phone(1)}


def test_who_hands_a_found_file_in_again_is_not_shown_what_came_since(world: World) -> None:
    for name in ("company-1", "company-2", "ngo-1"):
        world.deposit(name, range(5))
    stick = Carrying(world, POLICE)
    answered(world, stick)

    def fetch() -> object:
        return Retractions(stick.home, world.space, stick.caller(), world.clock).fetch()

    with pytest.raises(Awaited):
        fetch()
    [found] = stick.export()
    stick.deliver(found)
    owner = world.homes["company-1"]
    taking_back = TakingBack(owner, world.caller("company-1"), world.clock, world.random("company-1"))
    taking_back.withdraw_identifiers(world.space, {"phone": [phone(1)]}, "A mistake")
    before = world.log_kinds()
    answers = stick.deliver(found)
    assert world.log_kinds() == before, "nobody was shown a notice"
    # Brought home in place of the first, it says so; the next file shows the notice, and that is an entry.
    stick.read_in(answers)
    with pytest.raises(RemoteConflict, match="answered before"):
        fetch()
    assert stick.take(fetch) != ()
    assert world.log_kinds()[len(before) :] == ["RETRACTION_SHOWN"]


def test_a_repeated_file_shows_no_contributor_what_it_is_asked_since(world: World) -> None:
    world.deposit("company-1", range(5))
    stick = Carrying(world, "company-1")

    def asks() -> object:
        return Releasing(stick.home, world.space, stick.caller(), world.clock).asks()

    with pytest.raises(Awaited):
        asks()
    [found] = stick.export()
    stick.deliver(found)
    stick.read_in(stick.deliver(found))
    with pytest.raises(RemoteConflict, match="answered before"):
        asks()
    assert stick.take(asks) == ()
