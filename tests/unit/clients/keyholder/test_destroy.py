"""Withdrawal: the contributor's word erases the shares for good, is receipted, and nobody else's does."""

import pytest

from broker.protocol.documents import verify
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, VerificationFailed
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.series import DestructionReceipt
from clients.keyholder.acceptance import accept_shares
from clients.keyholder.context import Caller
from clients.keyholder.destroy import destroy_shares
from clients.keyholder.store import series as rows
from tests.keyholder_world import COMPANIES, HOLDER_IDS, NOW, POLICE, Deal, World


@pytest.fixture
def deal(world: World) -> Deal:
    dealt = world.deal()
    world.deliver(dealt)
    return dealt


def test_the_shares_are_gone_from_every_file_and_a_receipt_says_so(world: World, deal: Deal) -> None:
    with world.holder.database.read() as connection:
        sealed = rows.sealed_shares(connection, deal.series_id)
    assert sealed is not None
    withdrawal = world.withdrawal(deal)
    document = destroy_shares(world.holder, world.caller(COMPANIES[0]), deal.series_id, withdrawal)
    receipt = verify(DestructionReceipt, document, world.holder.keys.signing_public).payload
    assert (receipt.series_id, receipt.holder_id, receipt.x) == (deal.series_id, HOLDER_IDS[0], 1)
    assert receipt.destroyed_at == NOW
    for path in world.holder.database.path.parent.rglob("*"):
        assert not path.is_file() or sealed not in path.read_bytes()
    with world.holder.database.read() as connection:
        kinds = [parse_leaf(leaf).kind for leaf in world.holder.log.leaf_page(connection, 0, 10).leaves]
    assert kinds == ["BUNDLE_ACTIVATED", "SERIES_ACCEPTED", "SHARE_DESTROYED"]


def test_a_repeat_gets_the_same_receipt(world: World, deal: Deal) -> None:
    withdrawal = world.withdrawal(deal)
    first = destroy_shares(world.holder, world.caller(COMPANIES[0]), deal.series_id, withdrawal)
    world.clock.now += 60
    assert destroy_shares(world.holder, world.caller(POLICE), deal.series_id, withdrawal) == first
    other = world.withdrawal(deal, COMPANIES[1])
    with pytest.raises(Conflict):
        destroy_shares(world.holder, world.caller(COMPANIES[0]), deal.series_id, other)


def test_nobody_but_the_contributor_withdraws(world: World, deal: Deal) -> None:
    with pytest.raises(VerificationFailed, match="may not sign"):
        destroy_shares(
            world.holder, world.caller(COMPANIES[0]), deal.series_id, world.withdrawal(deal, COMPANIES[1])
        )
    with pytest.raises(NotPermitted):
        destroy_shares(world.holder, Caller("x" * 43, bytes(32)), deal.series_id, world.withdrawal(deal))
    with world.holder.database.read() as connection:
        assert rows.sealed_shares(connection, deal.series_id) is not None


def test_a_statement_about_another_series_is_refused(world: World, deal: Deal) -> None:
    other = world.deal()
    with pytest.raises(BadInput, match="another series"):
        destroy_shares(world.holder, world.caller(COMPANIES[0]), deal.series_id, world.withdrawal(other))
    with pytest.raises(NotFound):
        destroy_shares(world.holder, world.caller(COMPANIES[0]), other.series_id, world.withdrawal(other))


def test_an_erased_series_is_not_accepted_again(world: World) -> None:
    deal = world.deal()
    delivery = world.delivery(world.holder, deal)
    accept_shares(world.holder, world.caller(COMPANIES[0]), delivery)
    destroy_shares(world.holder, world.caller(COMPANIES[0]), deal.series_id, world.withdrawal(deal))
    for each in (delivery, world.delivery(world.holder, deal)):
        with pytest.raises(Conflict, match="withdrawn"):
            accept_shares(world.holder, world.caller(COMPANIES[0]), each)
