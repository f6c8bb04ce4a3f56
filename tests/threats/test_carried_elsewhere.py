"""Whom a carried call goes to, when another space that is pinned names somebody else at the same address.

What must hold: the document of the space that a call is of says who may open it; no founder of another space has a say.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.protocol import carried, documents
from broker.protocol.errors import Conflict
from broker.protocol.messages.parties import Space
from clients.deposit_changes.releasing import Releasing
from clients.requester import Requester
from clients.transport import Awaited
from tests.broker_case import key_of
from tests.carry_case import Carrying
from tests.world import BROKER, POLICE, World, phone

pytestmark = pytest.mark.all_only
FOUNDER = "company-2"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    for name in ("company-1", "company-2", "ngo-1"):
        made.deposit(name, range(5))
    yield made
    made.close()


def pinned_second_space(world: World) -> Space:
    """A space that a member founds and the unit pins: its first key holder "is" at the broker's address."""
    home = world.homes[FOUNDER]
    own = {
        "origin": BROKER,
        "holder_id": "holder-x",
        "signing_key": documents.public_bytes(key_of("of the second space")),
        "wrapping_key": home.identity.wrapping_key,
    }
    holders = (world.space.holders[0].model_copy(update=own), *world.space.holders[1:])
    # The founder picks the id, here the very first.
    second = world.space.model_copy(update={"space_id": bytes(16), "holders": holders, "name": "Second"})
    document = documents.sign(second, home.signing_key).document
    return world.homes[POLICE].pin_space(document, home.identity.signing_key).payload


def test_a_founder_of_a_second_space_cannot_put_itself_in_the_brokers_place(world: World) -> None:
    pinned_second_space(world)
    stick = Carrying(world, POLICE)
    requester = Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))
    prepared = world.prepare([phone(1), phone(900)])
    finding = world.finding(prepared)
    with pytest.raises(Awaited):
        requester.file(prepared.request_id, [finding])
    [bundle] = stick.export()
    assert bundle.header.recipient == "broker"
    packed = carried.unpack(bundle.data)
    signed = documents.verify(carried.CarriedHeader, packed.document, stick.home.identity.signing_key)
    private = world.broker.keys.carry.private
    _, bodies = carried.open_bundle(signed, packed.sealed, private, carried.CarriedCalls)
    assert prepared.document.encode() in bodies[0]
    # The whole request goes through, and its answers continue the broker's log of the right space.
    stick.read_in(stick.deliver(bundle))
    assert set(stick.take(lambda: requester.run(prepared.request_id, [finding])).hits) == {phone(1)}
    assert stick.outbox.seen(world.space.space_id)


def test_one_spaces_answer_is_never_taken_for_anothers(world: World) -> None:
    second = pinned_second_space(world)
    stick = Carrying(world, POLICE)
    for space in (world.space, second):
        with pytest.raises(Awaited):
            Releasing(stick.home, space, stick.caller(), world.clock).asks()
    waiting = {each.space_id: each for each in stick.outbox.calls()}
    assert set(waiting) == {world.space.space_id, second.space_id}
    assert len({each.digest for each in waiting.values()}) == 2
    with pytest.raises(Conflict, match="name different services"):
        stick.export()


def test_a_call_of_no_space_goes_nowhere_while_two_documents_contradict_each_other(world: World) -> None:
    stick = Carrying(world, POLICE)
    with pytest.raises(Awaited):
        stick.caller().get_public(f"{BROKER}/v1/releases")
    [first] = stick.export()
    assert first.header.recipient == "broker"
    pinned_second_space(world)
    with pytest.raises(Conflict, match="name different services"):
        stick.export(again=True)
