"""A holder restored from an old backup: the permit it used and forgot is not used twice, whoever asks."""

import sqlite3

import pytest

from broker.protocol import leaves
from broker.protocol.documents import verify
from broker.protocol.errors import BadInput, Conflict, Refused, Unavailable
from broker.protocol.messages.base import decode
from broker.protocol.messages.log import RestoreAccepted
from broker.protocol.messages.vocabulary import RecordKind
from clients.keyholder.acceptance import accept_shares
from clients.keyholder.context import KeyHolder, open_unmarked
from clients.keyholder.log_keys import change
from clients.keyholder.own_log import LogRestored
from clients.keyholder.restoring import CLOCKS_APART_SECONDS, accept_restore
from clients.keyholder.store.log import records_between
from tests.keyholder_calls import ask, charged, evaluations, refused
from tests.keyholder_world import NOW, Deal, Filed, World
from tests.unit.clients.keyholder.test_high_water import (
    back_up,
    folder_of,
    head,
    mark_of,
    marked,
    put_back,
    start,
    stop,
)

pytestmark = pytest.mark.all_only

REASON = "The disk failed; the newest backup is of last night."


@pytest.fixture
def used(world: World, deals: tuple[Deal, ...]) -> Filed:
    """A permit that was used after the backup, which is put back: the holder has forgotten that it answered."""
    copy = back_up(world, "backup")
    filed = world.admit(deals)
    ask(world, filed, deals[0])
    put_back(world, copy)
    return filed


def unmarked(world: World) -> KeyHolder:
    return open_unmarked(folder_of(world), world.clock, world.random_bytes)


def accept(world: World, size: int = 4, reason: str = REASON) -> RestoreAccepted:
    holder = unmarked(world)
    try:
        signed = accept_restore(holder, size, reason)
        return verify(RestoreAccepted, signed.document, holder.keys.signing_public).payload
    finally:
        holder.close()


def test_a_forgotten_permit_would_be_answered_a_second_time_by_the_old_copy_alone(
    world: World, deals: tuple[Deal, ...], used: Filed
) -> None:
    # Without the mark nothing in the folder tells: this is the attack that the mark and the statement stop.
    world.holders[folder_of(world).name] = unmarked(world)
    world.holder.high_water.set_aside()
    assert charged(world) == 0
    ask(world, used, deals[1])
    assert charged(world) == 2, "charged anew, as if it had never been used"


def test_a_used_permit_is_not_usable_again_after_an_accepted_restore(
    world: World, deals: tuple[Deal, ...], used: Filed
) -> None:
    world.clock.now = NOW + 3600
    said = accept(world)
    assert (said.marked_size, said.restored_size, said.reason) == (5, 4, REASON)
    start(world)
    for deal in deals:
        with refused(world, Refused, "restored from a backup after the permit was given"):
            ask(world, used, deal)


def test_a_permit_that_the_copy_knows_is_answered_again(world: World, deals: tuple[Deal, ...]) -> None:
    known, forgotten = world.admit(deals), world.admit(deals)
    known = world.with_proof(known, world.log.proof(0, 2))
    ask(world, known, deals[0])
    copy = back_up(world, "backup")
    ask(world, forgotten, deals[0])
    put_back(world, copy)
    world.clock.now = NOW + 3600
    accept(world, size=5)
    start(world)
    ask(world, known, deals[0])
    ask(world, known, deals[1])
    assert charged(world) == 2
    with refused(world, Refused, "restored"):
        ask(world, forgotten, deals[0])


def test_a_permit_given_after_the_restore_is_answered(
    world: World, deals: tuple[Deal, ...], used: Filed
) -> None:
    accept(world)
    start(world)
    # Clocks that are a little apart must not let an old permit through as a new one.
    world.clock.now = NOW + CLOCKS_APART_SECONDS
    with refused(world, Refused, "restored"):
        ask(world, world.admit(deals), deals[0])
    world.clock.now += 1
    ask(world, world.admit(deals), deals[0])
    assert evaluations(world) == 1


def test_the_statement_is_logged_and_the_log_goes_on_from_there(
    world: World, deals: tuple[Deal, ...], used: Filed
) -> None:
    accept(world)
    holder = start(world)
    assert head(holder).size == marked(world).size == 5
    with holder.database.read() as connection:
        (leaf,) = holder.log.leaf_page(connection, 4, 5).leaves
        (stored,) = records_between(connection, 4, 5)
    assert leaves.parse_leaf(leaf).kind == RecordKind.RESTORE_ACCEPTED
    record = decode(LogRestored, stored.record or b"")
    assert (record.marked_size, record.restored_size) == (5, 4)
    stop(world)
    start(world)


def test_the_one_time_keys_of_the_copy_are_not_used_again(
    world: World, deals: tuple[Deal, ...], used: Filed
) -> None:
    # The copy is opened once for a look, and a delivery made to one of its one-time keys.
    looked = unmarked(world)
    looked.high_water.set_aside()
    world.holders[folder_of(world).name] = looked
    deal = world.deal()
    delivery = world.delivery(looked, deal)
    stop(world)
    mark_of(world).unlink()
    accept(world)
    with pytest.raises(Conflict, match="Fetch a new pack"):
        accept_shares(start(world), world.caller(deal.manifest.contributor), delivery)


def test_a_lost_mark_is_accepted_the_same_way_and_said(world: World, deals: tuple[Deal, ...]) -> None:
    stop(world)
    mark_of(world).unlink()
    said = accept(world)
    assert (said.marked_size, said.marked_root, said.restored_size) == (None, None, 4)
    start(world)


def test_who_accepts_has_looked(world: World, deals: tuple[Deal, ...], used: Filed) -> None:
    with pytest.raises(BadInput, match="has 4 entries"):
        accept(world, size=5)
    with pytest.raises(BadInput, match="Say why"):
        accept(world, reason=" ")
    assert marked(world).size == 5, "nothing was accepted"


def test_there_is_nothing_to_accept_where_nothing_is_missing(world: World, deals: tuple[Deal, ...]) -> None:
    stop(world)
    before = mark_of(world).read_bytes()
    with pytest.raises(Conflict, match="Nothing is missing"):
        accept(world)
    assert mark_of(world).read_bytes() == before


def test_a_copy_with_a_damaged_log_is_not_accepted(world: World, used: Filed) -> None:
    with sqlite3.connect(folder_of(world) / "keyholder.sqlite") as connection:
        connection.execute("UPDATE log_leaves SET leaf = zeroblob(32) WHERE leaf_index = 1")
    connection.close()
    with pytest.raises(Unavailable, match="damaged"):
        accept(world)


def test_a_folder_restored_from_before_a_change_of_the_logs_key_has_the_old_key_and_may_change_it_again(
    world: World,
) -> None:
    copy = back_up(world, "backup")
    stop(world)
    stopped = change.StoppedHolder(folder_of(world), world.clock, world.random_bytes)
    gone = change.change(stopped, "The first key is old.").links[-1].proof.index
    change.finish(stopped)
    start(world)
    put_back(world, copy)
    holder = unmarked(world)
    size = head(holder).size
    holder.close()
    assert size == gone, "the entry that changed the key is lost"
    accept(world, size)
    chain = change.change(stopped, "The first key is old.")
    assert chain.links[-1].proof.index == size + 1
    change.finish(stopped)
    start(world)
