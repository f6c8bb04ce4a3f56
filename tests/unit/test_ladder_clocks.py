"""Honest clocks that step, on the way from hits to a payload: nothing expired comes back, and nothing is done twice.

A machine's clock is put right, or wrong, by an hour or a year between two steps. Broker and key holders each have a
clock of their own here; dishonest dates in papers are for tests/threats.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from broker.api.app import create_app as broker_app
from broker.protocol.errors import Expired, NarrowgateError
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.vocabulary import PayloadCategory, Tier
from clients.keyholder.api.app import create_app as holder_app
from clients.remote import RefusedByGate, RemoteProblem
from clients.requesting.answers import AnswerAwaited
from tests import gate_world
from tests.asgi import InMemoryClient
from tests.world import BROKER, HOLDERS, World, phone

pytestmark = pytest.mark.all_only

PAYLOAD: dict[str, Any] = {"highest_tier": Tier.PAYLOAD, "payload_category": PayloadCategory.SUBSCRIBER}
HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400
STEPS = {"an hour on": HOUR, "an hour back": -HOUR, "a year on": YEAR, "a year back": -YEAR}


@dataclass
class ClocksWorld:
    """The world with a clock of its own for each service, all set by how far they are off."""

    world: World
    off: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        broker = replace(self.world.broker, clock=lambda: self.world.now + self.off.get(BROKER, 0))
        self.world.wire.apps[BROKER] = InMemoryClient(broker_app(broker))
        for x, origin in HOLDERS.items():
            holder = replace(self.world.holders[x], clock=self._clock(origin))
            self.world.wire.apps[origin] = InMemoryClient(holder_app(holder))

    def _clock(self, origin: str) -> Any:
        return lambda: self.world.now + self.off.get(origin, 0)

    def opened(self) -> int:
        """How many openings the key holders' logs show, all together."""
        found = 0
        for holder in self.world.holders.values():
            with holder.database.read() as connection:
                page = holder.log.leaf_page(connection, 0, 1000)
            found += [parse_leaf(leaf).kind for leaf in page.leaves].count("OPENED")
        return found

    def steps(self) -> list[str]:
        """The kinds of the broker's entries about requests, in order."""
        wanted = ("ADMITTED", "REFUSED", "TOKENS", "RELEASE", "RELEASED", "FAILED", "RELEASE_ANSWERED")
        return [kind for kind in self.world.log_kinds() if kind in wanted]


@pytest.fixture
def clocks(tmp_path: Path) -> Iterator[ClocksWorld]:
    world = World(tmp_path)
    world.deposit("company-1", range(10), **PAYLOAD)
    world.deposit("company-2", range(5, 15), **PAYLOAD)
    world.deposit("ngo-1", range(12, 20), **PAYLOAD)
    yield ClocksWorld(world)
    world.close()


def prepared(world: World, request_id: bytes, number: int) -> tuple[bytes, list[str], list[str]]:
    """The next tier's request with its papers, not filed: valid for 30 days, so that the clocks alone decide."""
    long: dict[str, Any] = {"basis": gate_world.basis(valid_until=world.now + 30 * DAY)}
    request = world.climb_prepared(request_id, [phone(number)], **long)
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, "supervisor-1", "prosecutor-1")
    return request.payload.request_id, [finding], approvals


def released(world: World, number: int = 7) -> bytes:
    """A payload that is released and not opened: the request's id."""
    sources = world.climb(world.ask([phone(number)]).request_id)
    return world.climb(sources.request_id).request_id


# --- one service's clock is off ---


@pytest.mark.parametrize("step", STEPS)
def test_a_broker_whose_clock_stepped_takes_no_call_and_goes_on_once_it_is_right(
    clocks: ClocksWorld, step: str
) -> None:
    world = clocks.world
    request_id, findings, approvals = prepared(world, world.ask([phone(7)]).request_id, 7)
    requester, done = world.requester(), clocks.steps()
    for action in (
        lambda: requester.file(request_id, findings, approvals),
        lambda: requester.submit(request_id),
    ):
        clocks.off[BROKER] = STEPS[step]
        with pytest.raises(RemoteProblem, match="clock"):
            action()
        assert clocks.steps() == done, "nothing was recorded"
        clocks.off.clear()
        action()
        done = clocks.steps()
        requester.evaluate(request_id)
    assert done[-4:] == ["ADMITTED", "TOKENS", "RELEASE", "RELEASED"]
    assert world.replay().different == ()


@pytest.mark.parametrize("step", STEPS)
def test_a_holder_whose_clock_stepped_opens_nothing_and_the_others_do(clocks: ClocksWorld, step: str) -> None:
    world, request_id = clocks.world, released(clocks.world)
    clocks.off[HOLDERS[1]] = STEPS[step]
    with pytest.raises(NarrowgateError, match="clock"):
        world.payloads().open(request_id, [1, 2])
    with world.holders[1].database.read() as connection:
        kinds = [parse_leaf(leaf).kind for leaf in world.holders[1].log.leaf_page(connection, 0, 1000).leaves]
    assert "OPENED" not in kinds
    assert len(world.payloads().open(request_id).payloads) == 2


# --- all clocks step together ---


@pytest.mark.parametrize("hours", [1, -1])
def test_an_hour_between_release_and_opening_is_within_the_permit_or_waits_for_it(
    clocks: ClocksWorld, hours: int
) -> None:
    world, request_id = clocks.world, released(clocks.world)
    at = world.now
    world.now += hours * HOUR
    if hours < 0:
        with pytest.raises(Expired, match="time is over or has not begun"):
            world.payloads().open(request_id)
        assert clocks.opened() == 0
        world.now = at
    assert len(world.payloads().open(request_id).payloads) == 2
    assert clocks.opened() == 4, "two series, two holders"


def test_a_year_between_release_and_opening_is_too_late_and_coming_back_opens_once(
    clocks: ClocksWorld,
) -> None:
    world, request_id = clocks.world, released(clocks.world)
    at = world.now
    world.now += YEAR
    with pytest.raises(Expired, match="time is over"):
        world.payloads().open(request_id)
    assert clocks.opened() == 0
    # The clock was wrong and is put right: the permit is in its time, and was never used.
    world.now = at
    assert world.payloads().open(request_id) == world.payloads().open(request_id)
    assert clocks.opened() == 4


@pytest.mark.parametrize("away", [2 * DAY, YEAR])
def test_tokens_sent_after_the_permits_time_match_nothing(clocks: ClocksWorld, away: int) -> None:
    world = clocks.world
    request_id, findings, approvals = prepared(world, world.ask([phone(7)]).request_id, 7)
    requester = world.requester()
    requester.file(request_id, findings, approvals)
    requester.evaluate(request_id)
    world.now += away
    with pytest.raises(RemoteProblem, match="time is over"):
        requester.submit(request_id)
    assert clocks.steps()[-1] == "ADMITTED"


def test_a_refusal_stands_when_the_clock_comes_back_and_a_late_answer_opens_nothing(
    clocks: ClocksWorld,
) -> None:
    world = clocks.world
    sources = world.climb(world.ask([phone(18)]).request_id)
    request_id, findings, approvals = prepared(world, sources.request_id, 18)
    with pytest.raises(AnswerAwaited) as caught:
        world.requester().run(request_id, findings, approvals)
    asked_at = world.now
    world.now = caught.value.waiting.until_at
    with pytest.raises(RefusedByGate) as refused:
        world.requester().submit(request_id)
    assert refused.value.rules == ("L19",)
    # The clock had been wrong. What was decided under it is decided, whatever the contributor may still say.
    world.now = asked_at + HOUR
    [asked] = [each for each in world.releasing("ngo-1").asks() if not each.answered]
    with pytest.raises(RemoteProblem, match="decided already"):
        world.releasing("ngo-1").answer(asked.permit_id, True, "She agrees.")
    with pytest.raises(RefusedByGate):
        world.requester().submit(request_id)
    assert clocks.steps()[-2:] == ["RELEASE", "FAILED"], "decided to refuse, and that is the end of it"
    assert "RELEASE_ANSWERED" not in clocks.steps()
    assert clocks.opened() == 0


@pytest.mark.parametrize("step", STEPS)
def test_the_log_keeps_the_order_in_which_things_happened(clocks: ClocksWorld, step: str) -> None:
    world = clocks.world
    world.ask([phone(7)])
    size, at = len(world.log_kinds()), world.now
    world.now += STEPS[step]
    report = world.auditor().verify()
    assert report.first_bad_index is None
    world.now = at + 1
    world.ask([phone(8)])
    assert world.log_kinds()[size:].count("ADMITTED") == 1
    assert world.auditor().verify().first_bad_index is None
    assert world.replay().different == ()


def test_a_call_recorded_before_the_clock_went_on_and_back_does_nothing_twice(clocks: ClocksWorld) -> None:
    world, request_id = clocks.world, released(clocks.world)
    world.payloads().open(request_id)
    recorded = [each.call for each in world.wire.seen(HOLDERS[1], "/v1/openings")]
    assert len(recorded) >= 2, "one a series, and where it asked for a consistency proof once more"
    at = world.now
    # An hour on, the next call lets the holder forget the nonces it has seen; then the clock is put right.
    world.now += HOUR
    world.ask([phone(8)])
    world.now = at
    before = clocks.opened()
    for call in recorded:
        world.wire.deliver(call)
    assert clocks.opened() == before
