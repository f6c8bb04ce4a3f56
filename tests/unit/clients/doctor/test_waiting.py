"""What waits for somebody's answer is told by `narrowgate doctor`, without any call that is logged."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.protocol.messages.vocabulary import PayloadCategory, Tier
from clients.deposit_changes.releasing import Releasing
from clients.deposit_changes.taking_back import TakingBack
from clients.doctor.finding import Finding, State
from clients.doctor.waiting import look_at_releases, look_at_retractions
from clients.remote import Unreachable
from clients.requesting.answers import AnswerAwaited
from clients.requesting.retractions import Retractions
from tests.world import BROKER, POLICE, World, phone

pytestmark = pytest.mark.all_only

DAY_SECONDS = 86_400
NGO = "ngo-1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """All three hold phone(2), for which each must release its own; phone(1) is the NGO's alone."""
    made = World(tmp_path)
    for name in ("company-1", "company-2", NGO):
        made.deposit(name, (2,), highest_tier=Tier.PAYLOAD, payload_category=PayloadCategory.SUBSCRIBER)
    made.deposit(NGO, (1,))
    yield made
    made.close()


def releases(world: World) -> list[Finding]:
    return list(look_at_releases(world.homes[NGO], world.now))


def retractions(world: World) -> list[Finding]:
    return list(look_at_retractions(world.homes[POLICE]))


def received(world: World) -> Retractions:
    return Retractions(world.homes[POLICE], world.space, world.caller(POLICE), world.clock)


def asked(world: World) -> tuple[Releasing, bytes]:
    """The unit climbs to the payload of phone(2), and the NGO is shown that it is asked."""
    sources = world.climb(world.ask([phone(2), phone(500)]).request_id, [phone(2)])
    request = world.climb_prepared(sources.request_id, [phone(2)])
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, "supervisor-1", "prosecutor-1")
    with pytest.raises(AnswerAwaited):
        world.requester().run(request.payload.request_id, [finding], approvals)
    (ask,) = world.releasing(NGO).asks()
    return world.releasing(NGO), ask.permit_id


def test_a_release_that_was_asked_for_waits_until_it_is_answered(world: World) -> None:
    assert [each.state for each in releases(world)] == [State.OK]
    releasing, permit_id = asked(world)
    entries = len(world.log_kinds())
    (waiting,) = releases(world)
    assert waiting.state is State.LOOK
    assert waiting.words.startswith("1 releases wait")
    assert permit_id.hex() not in str(waiting)
    assert len(world.log_kinds()) == entries, "to look is not logged"
    releasing.answer(permit_id, True, "")
    assert [each.state for each in releases(world)] == [State.OK]


def test_a_release_whose_time_is_over_waits_no_more_and_without_deposits_nothing_is_said(
    world: World,
) -> None:
    asked(world)
    world.now += 365 * DAY_SECONDS
    assert State.LOOK not in [each.state for each in releases(world)]
    assert list(look_at_releases(world.homes[POLICE], world.now)) == []


def test_a_retraction_waits_until_the_broker_was_told_what_was_done(world: World) -> None:
    world.ask([phone(1), phone(500)])
    assert retractions(world) == []
    acts = TakingBack(world.homes[NGO], world.caller(NGO), world.clock, world.random(NGO))
    acts.withdraw_identifiers(world.space, {"phone": [phone(1)]}, "It was not its owner's.")
    (notice,) = received(world).fetch()
    notice_id = notice.notice.payload.notice_id
    (waiting,) = retractions(world)
    assert (waiting.state, waiting.words) == (State.LOOK, "1 retractions of matches wait for you to act.")
    world.take_down(BROKER)
    with pytest.raises(Unreachable):
        received(world).acknowledge(notice_id, "officer-1")
    (waiting,) = retractions(world)
    assert waiting.words.startswith("Of 1 retractions you said what you did")
    world.bring_up()
    received(world).acknowledge(notice_id, "officer-1")
    assert [each.state for each in retractions(world)] == [State.OK]
