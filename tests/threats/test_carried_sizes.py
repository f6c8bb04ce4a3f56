"""What sizes tell whoever carries a stick: not how many of the asked identifiers are known, nor by how many.

What must hold: how large a file of answers is follows from what the file of calls says on its outside, at the tiers
`hits` and `sources`, whether nothing, some or all of it is known.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from broker.protocol import carried
from broker.protocol.carried_answers import padded
from broker.protocol.messages.vocabulary import Tier
from clients.requester import Requester
from clients.requesting.request_values import Answer as Answered
from clients.transport import Awaited
from tests.carry_case import Carrying
from tests.world import POLICE, World, phone

pytestmark = pytest.mark.all_only


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    for name in ("company-1", "company-2", "ngo-1"):
        made.deposit(name, range(5 if name == "ngo-1" else 3), highest_tier=Tier.SOURCES)
    yield made
    made.close()


def hidden(stick: Carrying, step: Callable[[], Answered]) -> tuple[Answered, set[int]]:
    """Take a step. Returns its answer, and what sealing adds to the sizes that the calls' headers foretell."""
    added: set[int] = set()
    for _ in range(8):
        try:
            return step(), added
        except Awaited:
            for bundle in stick.export():
                answers = stick.deliver(bundle)
                stick.read_in(answers)
                foretold = len(padded(b"", bundle.header.steps))
                added.add(len(carried.unpack(answers).sealed) - foretold)
    raise AssertionError("the step awaits answers for ever")


def requester(world: World, stick: Carrying) -> Requester:
    return Requester(world.homes[POLICE], world.space, stick.caller(), world.clock, world.random(POLICE))


def test_whoever_carries_a_stick_cannot_count_hits(world: World) -> None:
    stick, sizes = Carrying(world, POLICE), set()
    for known in (0, 1, 2, 3, 5):
        world.let_budgets_refill()
        prepared = world.prepare(
            [phone(number) for number in range(known)] + [phone(900 + number) for number in range(10 - known)]
        )
        run = partial(requester(world, stick).run, prepared.request_id, [world.finding(prepared)])
        answer, added = hidden(stick, run)
        assert len(answer.hits) == known
        sizes |= added
    assert len(sizes) == 1, sizes


def test_whoever_carries_a_stick_cannot_count_who_holds_a_hit(world: World) -> None:
    world.let_budgets_refill()
    stick, sizes = Carrying(world, POLICE), set()
    hits = world.ask([phone(0), phone(4), phone(900)])
    for number, contributors in ((0, 3), (4, 1)):
        request = world.climb_prepared(hits.request_id, [phone(number)])
        finding = world.finding_on(request)
        approvals = world.approvals(request, finding, "supervisor-1", "prosecutor-1")
        run = partial(requester(world, stick).run, request.payload.request_id, [finding], approvals)
        answer, added = hidden(stick, run)
        assert len(answer.sources) == contributors
        sizes |= added
    assert len(sizes) == 1, sizes
