"""A space over time: members come and go, and the salt is changed. What each can ask, find and take back afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.protocol import documents, wrapping
from broker.protocol.errors import Conflict, NotFound, NotPermitted, Unavailable, VerificationFailed
from broker.protocol.messages.parties import SaltWrap
from broker.protocol.messages.vocabulary import AgencyKind
from broker.store.tables import salt_wraps
from clients.depositing.series_folder import SeriesFolder, under_older_salt
from clients.founder import Founder, join
from clients.remote import RefusedByGate
from clients.transport import Unreachable
from tests.world import BROKER, POLICE, Call, World, phone

pytestmark = pytest.mark.all_only


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three contributors have deposited phone(0) to phone(4) each."""
    made = World(tmp_path)
    for name in CONTRIBUTORS:
        made.deposit(name, range(5))
    yield made
    made.close()


CONTRIBUTORS = ("company-1", "company-2", "ngo-1")


def deposit_anew(world: World, *phones: int) -> None:
    """Three contributors deposit these: a request for hits needs so many."""
    for name in CONTRIBUTORS:
        world.deposit(name, phones)


def rotate(world: World) -> None:
    """The founder changes the salt, and everybody takes the new roster over."""
    world.take_over(world.founder().rotate_salt(None))


# --- the salt ---


def test_after_a_rotation_requests_find_what_is_deposited_anew_and_nothing_older(world: World) -> None:
    assert world.ask([phone(1)]).hits == (phone(1),)
    rotate(world)
    # Nothing is eligible, and a request about nobody's series is not even put to the holders.
    before = world.evaluations()
    with pytest.raises(RefusedByGate):
        world.ask([phone(1)])
    assert world.evaluations() == before
    deposit_anew(world, 1, 2)
    assert world.ask([phone(1), phone(4)]).hits == (phone(1),)


def test_a_contributor_is_told_which_series_are_under_the_older_salt(world: World) -> None:
    home = world.homes["company-2"]
    assert under_older_salt(home) == ()
    rotate(world)
    (older,) = under_older_salt(home)
    with pytest.raises(Conflict, match="salt was changed"):
        world.contributor("company-2").deposit(older.series_id, [(phone(9), b"{}")])
    (anew,) = world.deposit("company-2", range(5))
    assert anew.series_id != older.series_id
    assert [each.series_id for each in under_older_salt(home)] == [older.series_id]
    assert world.contributor("company-2").withdraw(older.series_id, "Under the old salt").complete
    assert under_older_salt(home) == ()


def test_the_broker_takes_no_deposit_under_an_older_salt_from_a_client_of_its_own(world: World) -> None:
    """A deposit masked before the rotation, whose upload broke off before it was declared."""

    def stop(call: Call) -> Call:
        raise Unreachable("The line was cut.")

    with world.tamper(BROKER, "/v1/deposits", call=stop), pytest.raises(Unreachable):
        world.deposit("company-2", [7])
    (broken_off,) = world.contributor("company-2").unfinished()
    rotate(world)
    with pytest.raises(Conflict, match="salt was changed"):
        world.contributor("company-2").resume(broken_off)


def test_a_request_prepared_before_the_rotation_is_prepared_anew(world: World) -> None:
    prepared = world.prepare([phone(1)])
    finding = world.finding(prepared)
    requester = world.requester()
    rotate(world)
    with pytest.raises(Conflict, match="old roster"):
        requester.run(prepared.request_id, [finding])


def test_a_permit_under_the_older_roster_is_refused_by_holders_that_pinned_the_new_one(world: World) -> None:
    prepared = world.prepare([phone(1)])
    requester = world.requester()
    requester.file(prepared.request_id, [world.finding(prepared)])
    rotate(world)
    with pytest.raises(RefusedByGate) as refused:
        requester.evaluate(prepared.request_id)
    assert all("older roster" in reason for reason in refused.value.reasons)


def test_holders_that_have_not_pinned_the_new_roster_say_what_to_do(world: World) -> None:
    signed = world.founder().rotate_salt(None)
    holders, world.holders = world.holders, {}
    world.take_over(signed)
    world.holders = holders
    with pytest.raises(Conflict, match="newest space document"):
        world.deposit("company-2", [1])
    for holder in holders.values():
        world.pin(holder, signed)
    deposit_anew(world, 1)
    newer = world.founder().add_member(None, world.newcomer("unit-2", AgencyKind.POLICE).enrolment)
    world.holders = {}
    world.take_over(newer)
    world.holders = holders
    with pytest.raises(RefusedByGate) as refused:
        world.ask([phone(1)])
    assert all("narrowgate keyholder pin" in reason for reason in refused.value.reasons)
    for holder in holders.values():
        world.pin(holder, newer)
    assert world.ask([phone(1)]).hits == (phone(1),)


def test_a_member_that_left_cannot_open_the_new_salt_by_any_wrap_the_broker_has(world: World) -> None:
    left, old = world.homes["company-2"], world.homes["company-2"].salt(world.space)
    signed = world.founder().remove_member(None, "company-2", rotate_salt=True)
    world.take_over(signed)
    space = signed.payload
    with world.broker.database.read() as connection:
        rows = connection.execute(salt_wraps.select().where(salt_wraps.c.salt_id == space.salt_id)).all()
    assert {row.recipient_kid for row in rows} == {
        documents.key_identifier(member.signing_key) for member in space.members
    }
    key = world.homes["company-1"].identity.signing_key
    for row in rows:
        wrap = documents.verify(SaltWrap, row.document, key).payload
        for kid in (left.identity.kid, row.recipient_kid):
            with pytest.raises(VerificationFailed):
                left.unwrap(wrap.wrapped, wrapping.salt_info(space.space_id, space.salt_id, kid))
    with pytest.raises(NotFound):
        world.caller("company-2").get(f"{BROKER}/v1/spaces/{space.space_id.hex()}/salt-wraps", SaltWrap)
    join(left, world.caller("company-2"), signed.document, world.homes["company-1"].enrolment)
    assert not left.has_salt(space)
    # It keeps what it had: that is stated in the threat model, and why a salt is changed.
    assert left.salt_of(space.space_id, world.homes["ngo-1"].space(None, 1).payload.salt_id) == old


def test_a_rotation_cut_short_is_published_later_and_loses_no_salt(world: World) -> None:
    def stop(call: Call) -> Call:
        raise Unreachable("The line was cut.")

    with world.tamper(BROKER, "/v1/spaces", call=stop), pytest.raises(Unavailable):
        world.founder().rotate_salt(None)
    assert world.homes["company-1"].space().payload.roster_version == 1

    def stop_the_second(call: Call) -> Call:
        if call.path.endswith("/salt-wraps") and world.homes["company-1"].space().payload.roster_version == 2:
            raise Unreachable("The line was cut.")
        return call

    with world.tamper(BROKER, "/v1/spaces", call=stop_the_second), pytest.raises(Unavailable):
        world.founder().rotate_salt(None)
    broken_off = world.homes["company-1"].space()
    assert world.homes["company-1"].has_salt(broken_off.payload)
    world.founder().publish(broken_off)
    world.take_over(broken_off)
    deposit_anew(world, 3)
    assert world.ask([phone(3)]).hits == (phone(3),)


def test_only_the_founder_changes_the_salt_or_removes_a_member(world: World) -> None:
    name = "company-2"
    other = Founder(world.homes[name], world.caller(name), world.clock, world.random(name))
    with pytest.raises(NotPermitted, match="founder"):
        other.rotate_salt(None)
    with pytest.raises(NotPermitted, match="founder"):
        other.remove_member(None, POLICE, rotate_salt=True)
    with pytest.raises(NotPermitted, match="cannot be removed"):
        world.founder().remove_member(None, "company-1")
    with pytest.raises(NotFound):
        world.founder().remove_member(None, "nobody")
    assert world.homes[name].space().payload.roster_version == 1


# --- members ---


def test_a_new_member_asks_and_deposits_and_is_found(world: World) -> None:
    newcomer = world.newcomer("unit-2", AgencyKind.POLICE)
    world.take_over(world.founder().add_member(None, newcomer.enrolment))
    assert world.ask([phone(2), phone(90)], requester="unit-2").hits == (phone(2),)
    helper = world.newcomer("company-3", AgencyKind.COMPANY, "IE")
    world.take_over(world.founder().add_member(None, helper.enrolment))
    world.deposit("company-3", [90])
    assert world.ask([phone(90)]).hits == (phone(90),)


def test_a_member_that_came_after_a_rotation_has_the_new_salt_alone(world: World) -> None:
    old = world.space
    rotate(world)
    newcomer = world.newcomer("company-3", AgencyKind.COMPANY, "IE")
    world.take_over(world.founder().add_member(None, newcomer.enrolment))
    assert newcomer.has_salt(world.space)
    assert not newcomer.has_salt(old)
    deposit_anew(world, 1)
    world.deposit("company-3", [90])
    assert world.ask([phone(90)]).hits == (phone(90),)


def test_a_member_that_left_is_found_no_more_and_can_neither_ask_nor_deposit(world: World) -> None:
    world.take_over(world.founder().add_member(None, world.newcomer("ngo-2", AgencyKind.NGO).enrolment))
    world.deposit("ngo-2", [1])
    world.deposit("company-2", [50])
    assert world.ask([phone(50)]).hits == (phone(50),)
    world.take_over(world.founder().remove_member(None, "company-2"))
    assert world.ask([phone(50), phone(1)]).hits == (phone(1),)
    with pytest.raises(NotFound):
        world.deposit("company-2", [51])


def test_a_member_that_left_still_takes_its_series_back_whole(world: World) -> None:
    (deposit,) = world.deposit("company-2", [50])
    world.take_over(world.founder().remove_member(None, "company-2"))
    result = world.contributor("company-2").withdraw(deposit.series_id, "We left the space")
    assert (result.destruction_receipts, result.complete) == (3, True)
    assert world.log_kinds()[-1] == "SERIES_DESTROYED"
    with pytest.raises(NotFound):
        SeriesFolder(world.homes["company-2"], deposit.series_id).keys()


def test_a_member_that_left_may_do_nothing_else_at_a_key_holder(world: World) -> None:
    (deposit,) = world.deposit("company-2", [50])
    world.take_over(world.founder().remove_member(None, "company-2"))
    with pytest.raises(NotPermitted):
        world.contributor("company-2")._dealer(world.space).self_test(
            SeriesFolder(world.homes["company-2"], deposit.series_id)
        )
