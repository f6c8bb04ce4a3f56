"""Pinning: what a founder signed and a person handed over, and nothing else."""

from typing import Any

import pytest

from broker.protocol.checkpoint import ED25519_COSIGNATURE, verifier_key
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, VerificationFailed
from clients.keyholder.pinning import (
    pin_space,
    pinned_space,
    pinned_spaces,
)
from tests.keyholder_world import COMPANIES, NOW, POLICE, World


def pin(world: World, document: str, enrolment: str | None = None) -> None:
    pin_space(world.holder.database, world.holder.keys, document, enrolment or world.enrolment(), NOW)


def pinned_version(world: World) -> int:
    with world.holder.database.read() as connection:
        return pinned_space(connection, world.space.payload.space_id).payload.roster_version


def test_a_newer_roster_of_the_same_founder_takes_the_place_of_the_old(world: World) -> None:
    pin(world, world.sign_space(roster_version=2).document)
    assert pinned_version(world) == 2
    with world.holder.database.read() as connection:
        assert [signed.payload.roster_version for signed in pinned_spaces(connection)] == [2]


def test_the_same_document_may_be_pinned_again(world: World) -> None:
    pin(world, world.space.document)
    assert pinned_version(world) == 1


def test_an_older_roster_is_refused(world: World) -> None:
    pin(world, world.sign_space(roster_version=3).document)
    for version in (2, 3):
        with pytest.raises(Conflict, match="not newer"):
            pin(world, world.sign_space(roster_version=version, name="Other").document)
    assert pinned_version(world) == 3


def test_a_roster_signed_by_another_member_is_refused(world: World) -> None:
    document = world.sign_space(COMPANIES[1], roster_version=2).document
    with pytest.raises(BadInput, match="another key"):
        pin(world, document)
    with pytest.raises(Conflict, match="same founder"):
        pin(world, document, world.enrolment(COMPANIES[1]))


def test_a_founder_outside_the_space_is_refused(world: World) -> None:
    strange = world.sign_space(members=(world.member(POLICE),), roster_version=2)
    with pytest.raises(VerificationFailed, match="own members"):
        pin(world, strange.document)


def test_an_enrolment_not_signed_by_the_key_it_names_is_refused(world: World) -> None:
    header, payload, _ = world.enrolment(COMPANIES[0]).split(".")
    other_header, _, signature = world.enrolment(COMPANIES[1]).split(".")
    for forged in (f"{other_header}.{payload}.{signature}", f"{header}.{payload}.{signature}"):
        with pytest.raises(VerificationFailed):
            pin(world, world.space.document, forged)
    with pytest.raises(BadInput):
        pin(world, world.space.document, "no document")


def test_a_space_that_names_other_keys_for_this_holder_is_refused(world: World) -> None:
    first, *rest = world.space_value().holders
    stolen = first.model_copy(update={"signing_key": public_bytes(world.keys["log"])})
    with pytest.raises(VerificationFailed, match="other keys"):
        pin(world, world.sign_space(holders=(stolen, *rest), roster_version=2).document)
    renamed = first.model_copy(update={"holder_id": "other-office"})
    with pytest.raises(NotPermitted, match="not among"):
        pin(world, world.sign_space(holders=(renamed, *rest), roster_version=2).document)


def test_a_new_roster_cannot_start_the_brokers_log_over(world: World) -> None:
    for changes in ({"log_key": public_bytes(world.keys["desk-1"])}, {"log_origin": "other.example.org/log"}):
        with pytest.raises(Conflict, match=r"names another (log|key of the broker's log)"):
            pin(world, world.sign_space(roster_version=2, **changes).document)


def test_a_new_roster_cannot_do_away_with_all_witnesses(world: World) -> None:
    witness = verifier_key("w1.example.org", bytes([9]) * 32, ED25519_COSIGNATURE)
    witnessed: dict[str, Any] = {"witnesses": (witness,), "witness_quorum": 1, "trial": False}
    pin(world, world.sign_space(roster_version=2, **witnessed).document)
    with pytest.raises(Conflict, match="makes a trial"):
        pin(world, world.sign_space(roster_version=3).document)
    assert pinned_version(world) == 2


def test_an_unknown_space_is_not_found(world: World) -> None:
    with world.holder.database.read() as connection, pytest.raises(NotFound):
        pinned_space(connection, bytes(16))
