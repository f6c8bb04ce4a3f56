"""Pinned officers: one key is one officer, and what lies in the folder is what its owner signed."""

from pathlib import Path

import pytest

from broker.gate.officers import PinnedOfficers
from broker.protocol.documents import key_identifier, public_bytes, sign, unverified_payload
from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.messages.bundles import RuleOfficer
from tests.rules import OFFICERS, officer_document, officer_key


def test_an_officer_is_pinned_by_its_file_and_found_by_its_key(tmp_path: Path) -> None:
    officers = PinnedOfficers(tmp_path)
    assert officers.all() == {}
    for name in (*OFFICERS, *OFFICERS):
        assert officers.pin(officer_document(name)).officer_id == name
    assert set(PinnedOfficers(tmp_path).all()) == {
        key_identifier(public_bytes(officer_key(name))) for name in OFFICERS
    }


def test_one_key_under_two_names_is_refused(tmp_path: Path) -> None:
    officers = PinnedOfficers(tmp_path)
    officer = officers.pin(officer_document("officer-1"))
    twin = sign(officer.model_copy(update={"officer_id": "officer-2"}), officer_key("officer-1"))
    with pytest.raises(Conflict, match="pinned already, under another name"):
        officers.pin(twin.document)


def test_one_name_with_another_key_is_refused_until_the_first_is_unpinned(tmp_path: Path) -> None:
    officers = PinnedOfficers(tmp_path)
    officer = officers.pin(officer_document("officer-1"))
    key = officer_key("a new key")
    renewed = sign(officer.model_copy(update={"signing_key": public_bytes(key)}), key)
    with pytest.raises(Conflict, match="another key"):
        officers.pin(renewed.document)
    officers.unpin("officer-1")
    assert officers.pin(renewed.document).signing_key == public_bytes(key)
    with pytest.raises(NotFound):
        officers.unpin("officer-2")


def test_a_file_that_is_not_signed_by_the_key_it_names_is_refused(tmp_path: Path) -> None:
    claimed = unverified_payload(RuleOfficer, officer_document("officer-1"))
    with pytest.raises(VerificationFailed):
        PinnedOfficers(tmp_path).pin(sign(claimed, officer_key("officer-2")).document)
    with pytest.raises(BadInput):
        PinnedOfficers(tmp_path).pin("no document")


def test_a_file_that_was_copied_under_another_name_stops_everything(tmp_path: Path) -> None:
    officers = PinnedOfficers(tmp_path)
    officers.pin(officer_document("officer-1"))
    (tmp_path / "officers" / "officer-2.jws").write_text(officer_document("officer-1"))
    with pytest.raises(BadInput, match="renamed or copied"):
        officers.all()
