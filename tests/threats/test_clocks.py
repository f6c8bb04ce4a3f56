"""Clocks that step: a broker, a key holder or a requester that is ahead or behind the others on the ladder.

The world's own clock stands still; one party is given another. A clock decides nothing alone: order in the log is by
index, and each holder takes every decision again by its own time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from broker.audit.records import ClockWentBack
from broker.protocol.errors import Expired, VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.evaluation import EvaluationAnswer
from broker.protocol.messages.log import RecordPage
from clients.keyholder.api.app import create_app as holder_app
from clients.remote import RefusedByGate
from clients.requesting.ladder import Ladder
from clients.transport import Caller, RemoteUnauthenticated
from tests import gate_world
from tests.asgi import InMemoryClient
from tests.threats import climbing
from tests.threats.climbing import Climbed, Papers
from tests.threats.colluding import assert_all_answer, assert_all_refuse
from tests.world import BROKER, HOLDERS, POLICE, World, phone

HOUR_SECONDS = 3600
DAY_SECONDS = 86_400


@pytest.fixture(scope="module")
def world(climbed: Climbed) -> World:
    return climbed.world


@pytest.fixture(scope="module")
def honest(climbed: Climbed) -> Papers:
    return climbing.papers_of(climbed)


@contextmanager
def broker_off_by(world: World, seconds: int) -> Iterator[None]:
    """Inside the block, the broker's clock is so much ahead."""
    before = world.broker
    world.broker = replace(before, clock=lambda: world.now + seconds)
    world.run_broker(world.broker)
    try:
        yield
    finally:
        world.broker = before
        world.run_broker(before)


@contextmanager
def holder_off_by(world: World, x: int, seconds: int) -> Iterator[None]:
    """Inside the block, one key holder's clock is so much ahead."""
    before = world.wire.apps[HOLDERS[x]]
    moved = replace(world.holders[x], clock=lambda: world.now + seconds)
    world.wire.apps[HOLDERS[x]] = InMemoryClient(holder_app(moved))
    try:
        yield
    finally:
        world.wire.apps[HOLDERS[x]] = before


def caller_at(world: World, clock: Callable[[], int]) -> Caller:
    """The requester's calls by another clock than the world's."""
    key = world.homes[POLICE].signing_key
    return Caller(world.wire, key, clock, world.random("a clock"), pause=lambda _: None)


@pytest.mark.parametrize("hours", [-30, -1, 1, 30])
def test_a_service_whose_clock_is_off_answers_no_call(world: World, honest: Papers, hours: int) -> None:
    """A call is good for a minute: neither broker nor holder takes one that another clock signed."""
    given = climbing.recorded(world, honest)
    with holder_off_by(world, 1, hours * HOUR_SECONDS):
        with pytest.raises(RemoteUnauthenticated):
            climbing.ask(world, given, 1)
        assert isinstance(climbing.ask(world, given, 2, quorum=(2, 3)), EvaluationAnswer)
    with broker_off_by(world, hours * HOUR_SECONDS), pytest.raises(RemoteUnauthenticated):
        world.ask([phone(3)])


@pytest.mark.parametrize("hours", [25, 48])
def test_a_holder_that_is_ahead_refuses_and_the_others_serve(
    world: World, honest: Papers, hours: int
) -> None:
    """Its caller follows its time; the permit and the order behind it are over by then."""
    given = climbing.recorded(world, honest, expires_at=honest.facts.now + 20 * DAY_SECONDS)
    with holder_off_by(world, 1, hours * HOUR_SECONDS):
        following = caller_at(world, lambda: world.now + hours * HOUR_SECONDS)
        with pytest.raises(Expired, match="has run out since"):
            climbing.ask(world, given, 1, caller=following)
    assert_all_answer(climbing.ask_all(world, given))


def test_a_holder_whose_clock_steps_back_evaluates_nothing_before_the_permits_time(
    world: World, honest: Papers
) -> None:
    given = climbing.recorded(world, honest)
    with holder_off_by(world, 1, -HOUR_SECONDS):
        following = caller_at(world, lambda: world.now - HOUR_SECONDS)
        with pytest.raises(Expired, match="has not begun"):
            climbing.ask(world, given, 1, caller=following)


def test_a_broker_that_is_ahead_gives_permits_that_no_holder_takes_yet(world: World, honest: Papers) -> None:
    later = honest.facts.model_copy(update={"now": honest.facts.now + HOUR_SECONDS})
    given = climbing.recorded(world, honest, later)
    assert_all_refuse(climbing.ask_all(world, given), Expired, "has not begun")


def test_a_broker_that_steps_back_between_the_tiers_revives_nothing(world: World, honest: Papers) -> None:
    """A day back, it decides the release before the sources were told: the order in the log is by index, and the permit
    begins and ends by the broker's time, which is over for every holder."""
    back = honest.facts.now - DAY_SECONDS
    admitted = honest.facts.admitted.model_copy(update={"now": back})
    facts = honest.facts.model_copy(update={"now": back, "admitted": admitted})
    over = climbing.recorded(world, honest, facts, expires_at=back + DAY_SECONDS)
    assert_all_refuse(climbing.ask_all(world, over), Expired, "time is over")
    # With a longer time the rules refuse: on that day the tier before lay in the future (L05).
    longer = climbing.recorded(world, honest, facts, expires_at=back + 20 * DAY_SECONDS)
    assert_all_refuse(climbing.ask_all(world, longer), RefusedByGate, "The rules refuse this release")


def test_a_broker_whose_clock_goes_back_says_so_in_its_log(world: World) -> None:
    """What was recorded stands where it stood, and whoever mirrors the log sees when the clock was moved."""
    before, key = world.log_kinds(), world.homes["auditor-1"].signing_key
    with broker_off_by(world, -HOUR_SECONDS):
        behind = Caller(world.wire, key, world.broker.clock, world.random("a clock"), pause=lambda _: None)
        behind.get(f"{BROKER}/v1/audit/records?start=0&end=1", RecordPage)
    kinds = world.log_kinds()
    assert kinds[: len(before)] == before
    assert kinds[len(before) :] == ["RECORDS_READ", "CLOCK_WENT_BACK"]
    with world.broker.database.read() as connection:
        told = decode(ClockWentBack, world.broker.audit.receipt(connection, len(kinds) - 1).record)
    assert (told.index, told.from_at - told.to_at) == (len(before), HOUR_SECONDS)


def test_an_admission_dated_after_its_release_is_no_fact(world: World, honest: Papers) -> None:
    admitted = honest.facts.admitted.model_copy(update={"now": honest.facts.now + 1})
    given = climbing.recorded(world, honest, honest.facts.model_copy(update={"admitted": admitted}))
    assert_all_refuse(climbing.ask_all(world, given), VerificationFailed, "decided at another time")


def test_a_requester_whose_clock_is_behind_confirms_nothing_before_it_was_told(world: World) -> None:
    """A confirmation dated before the disclosure is none: the requester is told so before anybody is asked."""
    hits = world.ask([phone(3)]).request_id
    home = world.homes[POLICE]
    behind = Ladder(home, world.space, lambda: world.now - HOUR_SECONDS, world.random(POLICE))
    behind.confirm(hits, "officer-1")
    with pytest.raises(VerificationFailed, match="before they were disclosed"):
        behind.climb(hits, gate_world.claims())
    # Its clock set right, it confirms again and goes on.
    assert world.climb_prepared(hits).payload.earlier_request == hits
