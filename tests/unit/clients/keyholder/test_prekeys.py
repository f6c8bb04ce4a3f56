"""Prekeys: always enough of them, none twice, none for ever."""

from broker.protocol import wrapping
from broker.protocol.documents import verify
from broker.protocol.messages.series import PrekeyPack
from clients.keyholder.acceptance import accept_shares
from clients.keyholder.prekeys import LIFETIME_SECONDS, PACK_SIZE, issue_pack
from clients.keyholder.store import series as rows
from tests.keyholder_world import NOW, World


def pack_of(world: World) -> PrekeyPack:
    return verify(PrekeyPack, issue_pack(world.holder), world.holder.keys.signing_public).payload


def test_a_pack_has_sixteen_keys_and_stays_the_same_while_none_is_used(world: World) -> None:
    first = pack_of(world)
    assert len({prekey.prekey_id for prekey in first.prekeys}) == PACK_SIZE
    assert first.expires_at == NOW + LIFETIME_SECONDS
    world.clock.now += 60
    assert pack_of(world).prekeys == first.prekeys


def test_a_used_prekey_is_replaced(world: World) -> None:
    before = {prekey.prekey_id for prekey in pack_of(world).prekeys}
    deal = world.deal()
    delivery = world.delivery(world.holder, deal)
    accept_shares(world.holder, world.caller(deal.manifest.contributor), delivery)
    after = {prekey.prekey_id for prekey in pack_of(world).prekeys}
    assert before - after == {delivery.prekey_id}
    assert len(after) == PACK_SIZE


def test_old_prekeys_are_replaced_before_they_end_and_then_destroyed(world: World) -> None:
    old = pack_of(world)
    world.clock.now = NOW + LIFETIME_SECONDS - 3600
    fresh = pack_of(world)
    assert not {prekey.prekey_id for prekey in old.prekeys} & {prekey.prekey_id for prekey in fresh.prekeys}
    assert fresh.expires_at > world.clock.now + 86_400
    world.clock.now = NOW + LIFETIME_SECONDS + 1
    # The next refill destroys what is over; one use brings it about.
    deal = world.deal()
    accept_shares(world.holder, world.caller(deal.manifest.contributor), world.delivery(world.holder, deal))
    pack_of(world)
    with world.holder.database.read() as connection:
        assert all(rows.find_prekey(connection, prekey.prekey_id) is None for prekey in old.prekeys)


def test_the_private_part_of_a_prekey_lies_sealed(world: World) -> None:
    prekey_id = pack_of(world).prekeys[0].prekey_id
    with world.holder.database.read() as connection:
        stored = rows.find_prekey(connection, prekey_id)
    assert stored is not None
    private = world.holder.keys.storage_key.open_prekey(stored.sealed_private, prekey_id)
    assert wrapping.public_of(private) == stored.public_key
    for path in world.holder.database.path.parent.glob("keyholder.sqlite*"):
        assert private not in path.read_bytes()
