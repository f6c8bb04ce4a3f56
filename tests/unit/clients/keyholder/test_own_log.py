"""The holder's own log: checkable with the key people have pinned, grown with each step, refused when damaged."""

import sqlite3

import pytest

from broker.protocol import checkpoint, leaves, merkle
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, Unavailable
from broker.protocol.messages.base import decode
from clients.keyholder.context import open_key_holder
from clients.keyholder.own_log import ClockWentBack, SeriesAccepted
from clients.keyholder.store.log import records_between
from tests.keyholder_world import COMPANIES, HOLDER_IDS, World


def test_a_checkpoint_verifies_under_the_pinned_signing_key_and_under_the_log_key(world: World) -> None:
    world.deal_all()
    log, keys = world.holder.log, world.holder.keys
    with world.holder.database.read() as connection:
        note = log.checkpoint(connection).note
        page = log.leaf_page(connection, 0, 1000)
    root = merkle.root_of(merkle.leaf_hash(leaf) for leaf in page.leaves)
    for public in (keys.signing_public, public_bytes(keys.log_key)):
        key = checkpoint.VerifierKey(log.origin, checkpoint.ED25519, public)
        found = checkpoint.parse_and_verify(note.encode(), log.origin, key)
        assert (found.size, found.root) == (4, root)


def test_a_record_opens_its_leaf(world: World) -> None:
    deal = world.deal(COMPANIES[1])
    world.deliver(deal)
    with world.holder.database.read() as connection:
        (stored,) = records_between(connection, 1, 2)
        (leaf,) = world.holder.log.leaf_page(connection, 1, 2).leaves
    assert stored.record is not None
    assert stored.salt is not None
    leaves.verify_record(leaf, stored.record, stored.salt)
    record = decode(SeriesAccepted, stored.record)
    assert (record.series_id, record.contributor) == (deal.series_id, COMPANIES[1])


def test_a_page_is_at_most_a_thousand_entries(world: World) -> None:
    with world.holder.database.read() as connection:
        for start, end in ((0, 1001), (3, 3), (-1, 5), (2**63, 2**63 + 1)):
            with pytest.raises(BadInput):
                world.holder.log.leaf_page(connection, start, end)


def test_a_holder_whose_log_was_changed_does_not_start(world: World) -> None:
    world.deal_all()
    world.holder.close()
    folder = world.directory / HOLDER_IDS[0]
    with sqlite3.connect(folder / "keyholder.sqlite") as connection:
        connection.execute("UPDATE log_leaves SET hashes = zeroblob(32) WHERE leaf_index = 1")
    connection.close()
    with pytest.raises(Unavailable, match="damaged"):
        open_key_holder(folder, world.clock, world.random_bytes)
    world.holders.clear()


def test_a_clock_that_goes_back_is_an_entry_of_its_own(world: World) -> None:
    world.deliver(world.deal(COMPANIES[1]))
    world.clock.now -= 7200
    world.deliver(world.deal(COMPANIES[2]))
    with world.holder.database.read() as connection:
        (stored,) = records_between(connection, 3, 4)
        page = world.holder.log.leaf_page(connection, 0, 10)
    kinds = [leaves.parse_leaf(leaf).kind for leaf in page.leaves]
    assert kinds == ["BUNDLE_ACTIVATED", "SERIES_ACCEPTED", "SERIES_ACCEPTED", "CLOCK_WENT_BACK"]
    assert stored.record is not None
    told = decode(ClockWentBack, stored.record)
    assert (told.index, told.from_at - told.to_at) == (2, 7200)
