"""Accepting shares: what fits is kept sealed and signed for; what does not is refused and leaves nothing."""

import os

import pytest

from broker.protocol import shares, wrapping
from broker.protocol.documents import verify
from broker.protocol.errors import BadInput, Conflict, NotPermitted, VerificationFailed
from broker.protocol.group import IDENTITY
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.log import LeafPage
from broker.protocol.messages.series import Acceptance, ShareDelivery, key_digest
from broker.protocol.messages.vocabulary import AgencyKind
from clients.keyholder.acceptance import accept_shares
from clients.keyholder.store import series as rows
from tests.keyholder_world import COMPANIES, HOLDER_IDS, NOW, Deal, World, conditions


def accept(world: World, deal: Deal, delivery: ShareDelivery | None = None) -> str:
    caller = world.caller(deal.manifest.contributor)
    return accept_shares(world.holder, caller, delivery or world.delivery(world.holder, deal))


def kept(world: World) -> tuple[int, int]:
    with world.holder.database.read() as connection:
        return rows.count(connection)


def log_kinds(world: World) -> list[str]:
    with world.holder.database.read() as connection:
        page: LeafPage = world.holder.log.leaf_page(connection, 0, 100)
    return [parse_leaf(leaf).kind for leaf in page.leaves]


def test_shares_that_fit_are_accepted_and_signed_for(world: World) -> None:
    deal = world.deal()
    acceptance = verify(Acceptance, accept(world, deal), world.holder.keys.signing_public).payload
    manifest = deal.manifest
    assert acceptance == Acceptance(
        series_id=deal.series_id,
        holder_id=HOLDER_IDS[0],
        x=1,
        key_digest=key_digest(deal.series_id, 2, 3, manifest.commitments_match, manifest.commitments_open),
        accepted_at=NOW,
    )
    assert log_kinds(world) == ["BUNDLE_ACTIVATED", "SERIES_ACCEPTED"]


def test_a_repeated_delivery_gets_the_same_acceptance_though_its_prekey_is_gone(world: World) -> None:
    deal = world.deal()
    delivery = world.delivery(world.holder, deal)
    first = accept(world, deal, delivery)
    world.clock.now += 30
    with world.holder.database.read() as connection:
        assert rows.find_prekey(connection, delivery.prekey_id) is None
    assert accept(world, deal, delivery) == first
    assert accept(world, deal) == first  # under a fresh prekey as well
    assert log_kinds(world) == ["BUNDLE_ACTIVATED", "SERIES_ACCEPTED"]


def test_a_share_dealt_under_another_manifest_is_refused(world: World) -> None:
    deal = world.deal()
    accept(world, deal)
    # Another contributor saw the commitments and copied them under a manifest of its own.
    copied = world.deal(
        COMPANIES[1],
        changes={"commitments_match": deal.match.commitments, "commitments_open": deal.open.commitments},
    )
    values = deal.match.shares[0].value + deal.open.shares[0].value
    with pytest.raises(Conflict, match="used before"):
        accept(world, copied, world.delivery(world.holder, copied, values))
    assert kept(world) == (1, 1)


def test_one_key_in_both_places_is_refused(world: World) -> None:
    deal = world.deal()
    twice = world.deal(
        changes={"commitments_match": deal.match.commitments, "commitments_open": deal.match.commitments}
    )
    values = 2 * deal.match.shares[0].value
    with pytest.raises(Conflict, match="deal one key twice"):
        accept(world, twice, world.delivery(world.holder, twice, values))


@pytest.mark.parametrize("name", ["commitments_match", "commitments_open"])
def test_a_polynomial_that_is_too_short_is_refused(world: World, name: str) -> None:
    # A constant polynomial, so that one holder alone could evaluate: its last coefficient is zero.
    deal = world.deal()
    constant = getattr(deal.manifest, name)[0]
    short = world.deal(changes={name: (constant, IDENTITY)})
    with pytest.raises(VerificationFailed, match="identity"):
        accept(world, short)
    long = world.deal(changes={name: (*getattr(deal.manifest, name), constant)})
    with pytest.raises(VerificationFailed, match="exactly as many commitments"):
        accept(world, long)
    assert kept(world) == (0, 0)


def test_a_share_of_another_holder_is_refused(world: World) -> None:
    deal = world.deal()
    neighbours = deal.match.shares[1].value + deal.open.shares[1].value
    with pytest.raises(VerificationFailed, match="does not fit"):
        accept(world, deal, world.delivery(world.holder, deal, neighbours))


def test_a_share_wrapped_for_another_place_in_the_roster_does_not_open(world: World) -> None:
    deal = world.deal()
    delivery = world.delivery(world.holder, deal)
    with world.holder.database.read() as connection:
        prekey = rows.find_prekey(connection, delivery.prekey_id)
    assert prekey is not None
    info = wrapping.share_info(deal.series_id, HOLDER_IDS[0], 2)
    wrapped = wrapping.wrap(prekey.public_key, deal.match.shares[0].value + deal.open.shares[0].value, info)
    with pytest.raises(VerificationFailed, match="does not open"):
        accept(world, deal, delivery.model_copy(update={"wrapped": wrapped}))


def test_shares_in_the_wrong_order_or_of_zero_are_refused(world: World) -> None:
    deal = world.deal()
    swapped = deal.open.shares[0].value + deal.match.shares[0].value
    for values in (swapped, bytes(32) + deal.open.shares[0].value, deal.match.shares[0].value):
        with pytest.raises(VerificationFailed):
            accept(world, deal, world.delivery(world.holder, deal, values))
    assert kept(world) == (0, 0)


def test_a_refused_share_leaves_its_prekey_and_no_entry(world: World) -> None:
    deal = world.deal()
    delivery = world.delivery(world.holder, deal, bytes(64))
    with pytest.raises(VerificationFailed):
        accept(world, deal, delivery)
    with world.holder.database.read() as connection:
        assert rows.find_prekey(connection, delivery.prekey_id) is not None
    assert log_kinds(world) == ["BUNDLE_ACTIVATED"]


def test_an_unknown_or_expired_prekey_is_refused(world: World) -> None:
    deal = world.deal()
    delivery = world.delivery(world.holder, deal)
    with pytest.raises(Conflict, match="new pack"):
        accept(world, deal, delivery.model_copy(update={"prekey_id": os.urandom(16)}))
    world.clock.now += 31 * 86_400
    with pytest.raises(Conflict, match="new pack"):
        accept(world, deal, delivery)


def test_only_the_named_contributor_delivers(world: World) -> None:
    deal = world.deal()
    delivery = world.delivery(world.holder, deal)
    with pytest.raises(VerificationFailed, match="may not sign"):
        accept_shares(world.holder, world.caller(COMPANIES[1]), delivery)
    claimed = world.deal(COMPANIES[0], signer=COMPANIES[1])
    with pytest.raises(NotPermitted, match="contributor"):
        accept_shares(world.holder, world.caller(COMPANIES[1]), world.delivery(world.holder, claimed))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"threshold": 3}, VerificationFailed),
        ({"holders": (*HOLDER_IDS[::-1][:2], HOLDER_IDS[0])}, VerificationFailed),
        ({"roster_version": 2}, Conflict),
        ({"identifier_type": "iban"}, VerificationFailed),
        ({"salt_id": bytes(32)}, VerificationFailed),
        ({"conditions": conditions(retain_until=NOW)}, VerificationFailed),
        ({"conditions": conditions(contributor_kind=AgencyKind.POLICE)}, VerificationFailed),
    ],
)
def test_a_manifest_that_does_not_fit_the_pinned_space_is_refused(
    world: World, changes: dict[str, object], error: type[Exception]
) -> None:
    deal = world.deal(changes=changes)
    with pytest.raises(error):
        accept(world, deal)
    assert kept(world) == (0, 0)


def test_a_share_is_nowhere_in_the_holders_folder_in_plaintext(world: World) -> None:
    deal = world.deal()
    delivery = world.delivery(world.holder, deal)
    accept(world, deal, delivery)
    world.holder.database.empty_wal()
    files = b"".join(
        path.read_bytes() for path in (world.directory / HOLDER_IDS[0]).rglob("*") if path.is_file()
    )
    assert deal.series_id in files
    for share in (*deal.match.shares, *deal.open.shares):
        assert share.value not in files


def test_a_used_prekey_leaves_no_trace_in_the_database(world: World) -> None:
    deal = world.deal()
    delivery = world.delivery(world.holder, deal)
    with world.holder.database.read() as connection:
        prekey = rows.find_prekey(connection, delivery.prekey_id)
    assert prekey is not None
    accept(world, deal, delivery)
    for path in (world.directory / HOLDER_IDS[0]).glob("keyholder.sqlite*"):
        assert prekey.sealed_private not in path.read_bytes()


def test_sealed_shares_do_not_open_in_another_series_row(world: World) -> None:
    first, second = world.deal(), world.deal(COMPANIES[1])
    world.deliver(first)
    world.deliver(second)
    key = world.holder.keys.storage_key
    with world.holder.database.read() as connection:
        sealed = rows.sealed_shares(connection, first.series_id)
    assert sealed is not None
    opened = key.open_shares(sealed, first.series_id, HOLDER_IDS[0], 1)
    assert opened.match == shares.Share(1, first.match.shares[0].value)
    for series_id, name, x in (
        (second.series_id, HOLDER_IDS[0], 1),
        (first.series_id, HOLDER_IDS[1], 1),
        (first.series_id, HOLDER_IDS[0], 2),
    ):
        with pytest.raises(VerificationFailed, match="does not open"):
            key.open_shares(sealed, series_id, name, x)


def test_a_document_that_is_none_is_bad_input(world: World) -> None:
    deal = world.deal()
    delivery = world.delivery(world.holder, deal).model_copy(update={"manifest": "a.b.c"})
    with pytest.raises(BadInput):
        accept(world, deal, delivery)
