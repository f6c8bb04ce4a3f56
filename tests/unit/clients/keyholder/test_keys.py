"""Keys at rest: the right mode, a passphrase, no secret in a repr, and no second holder in one folder."""

import base64
import json
import os
from pathlib import Path

import pytest

from broker.protocol.documents import verify
from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.messages.parties import Enrolment
from clients.keyholder.keys import (
    HolderKeys,
    Persona,
    create_keys,
    draw_next_log_key,
    drop_old_log_key,
    open_keys,
)

PERSONA = Persona("court-office", "Court office", "NL", "http://court.example.org:8000")


def make(directory: Path, passphrase: str | None = None) -> HolderKeys:
    return create_keys(directory, PERSONA, now=7, random_bytes=os.urandom, passphrase=passphrase)


def secrets_of(keys: HolderKeys) -> tuple[bytes, ...]:
    return (
        keys.signing_key.private_bytes_raw(),
        keys.log_key.private_bytes_raw(),
        keys.wrapping.private,
        keys.storage_key.key,
    )


def test_keys_come_back_as_they_were_made(tmp_path: Path) -> None:
    made = make(tmp_path / "holder")
    assert secrets_of(open_keys(tmp_path / "holder")) == secrets_of(made)


def test_only_the_owner_may_read_the_key_file(tmp_path: Path) -> None:
    make(tmp_path / "holder")
    assert (tmp_path / "holder" / "keys.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "holder").stat().st_mode & 0o777 == 0o700


def test_the_enrolment_is_signed_by_the_key_it_names(tmp_path: Path) -> None:
    made = make(tmp_path / "holder")
    document = (tmp_path / "holder" / "enrolment.jws").read_text()
    enrolment = verify(Enrolment, document, made.signing_public).payload
    assert (enrolment.party_id, enrolment.origin) == (PERSONA.holder_id, PERSONA.origin)
    assert enrolment.wrapping_key == made.wrapping.public


def test_a_passphrase_locks_the_keys(tmp_path: Path) -> None:
    made = make(tmp_path / "holder", "correct horse")
    stored = (tmp_path / "holder" / "keys.json").read_bytes()
    assert made.signing_key.private_bytes_raw() not in stored
    assert secrets_of(open_keys(tmp_path / "holder", "correct horse")) == secrets_of(made)
    with pytest.raises(VerificationFailed, match="passphrase"):
        open_keys(tmp_path / "holder", "wrong horse")
    with pytest.raises(BadInput, match="passphrase"):
        open_keys(tmp_path / "holder")


def test_a_second_holder_in_one_folder_is_refused(tmp_path: Path) -> None:
    made = make(tmp_path / "holder")
    with pytest.raises(Conflict):
        make(tmp_path / "holder")
    assert secrets_of(open_keys(tmp_path / "holder")) == secrets_of(made)


def test_a_folder_without_keys_is_no_holder(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="init"):
        open_keys(tmp_path)


def test_a_persona_that_no_enrolment_may_bear_is_refused_without_repeating_it(tmp_path: Path) -> None:
    bad = Persona("Court Office!", "Court office", "NL", "http://court.example.org:8000")
    with pytest.raises(BadInput, match="holder_id") as caught:
        create_keys(tmp_path / "holder", bad, now=7, random_bytes=os.urandom)
    assert "Court" not in str(caught.value)
    assert not (tmp_path / "holder").exists()


def test_no_secret_is_in_a_repr(tmp_path: Path) -> None:
    made = make(tmp_path / "holder")
    shown = repr(made) + repr(made.storage_key) + repr(made.wrapping)
    for secret in secrets_of(made):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


# --- a next log key ---


@pytest.mark.parametrize("passphrase", [None, pytest.param("correct horse", marks=pytest.mark.all_only)])
def test_a_next_log_key_is_drawn_once_and_takes_the_place_of_the_old_one(
    tmp_path: Path, passphrase: str | None
) -> None:
    made = make(tmp_path / "holder", passphrase)
    drawn = draw_next_log_key(tmp_path / "holder", os.urandom, passphrase)
    again = draw_next_log_key(tmp_path / "holder", os.urandom, passphrase)
    assert drawn.next_log_key is not None
    assert again.next_log_key is not None
    following = drawn.next_log_key.private_bytes_raw()
    assert again.next_log_key.private_bytes_raw() == following
    assert secrets_of(drawn) == secrets_of(again) == secrets_of(made), "all else stays"
    only = drop_old_log_key(tmp_path / "holder", os.urandom, passphrase)
    signing, _, wrapping, storage = secrets_of(made)
    assert secrets_of(only) == (signing, following, wrapping, storage)
    assert only.next_log_key is None
    assert secrets_of(open_keys(tmp_path / "holder", passphrase)) == secrets_of(only)
    with pytest.raises(Conflict, match="no old one to drop"):
        drop_old_log_key(tmp_path / "holder", os.urandom, passphrase)


@pytest.mark.all_only
def test_changing_the_log_key_needs_the_passphrase_and_keeps_it(tmp_path: Path) -> None:
    make(tmp_path / "holder", "correct horse")
    with pytest.raises(BadInput, match="passphrase"):
        draw_next_log_key(tmp_path / "holder", os.urandom)
    draw_next_log_key(tmp_path / "holder", os.urandom, "correct horse")
    with pytest.raises(VerificationFailed, match="passphrase"):
        open_keys(tmp_path / "holder", "wrong horse")


def test_a_dropped_log_key_is_in_no_file_and_was_overwritten_where_it_was(tmp_path: Path) -> None:
    old = make(tmp_path / "holder").log_key.private_bytes_raw()
    draw_next_log_key(tmp_path / "holder", os.urandom)
    path = tmp_path / "holder" / "keys.json"
    os.link(path, tmp_path / "what-it-was")
    drop_old_log_key(tmp_path / "holder", os.urandom)
    assert set((tmp_path / "what-it-was").read_bytes()) == {0}
    assert path.stat().st_mode & 0o777 == 0o600
    stored = json.loads(path.read_bytes())["secrets"]
    assert old not in base64.urlsafe_b64decode(stored + "==")
    assert sorted(each.name for each in path.parent.iterdir()) == ["enrolment.jws", "keys.json"]


def test_secrets_of_another_length_are_a_damaged_file(tmp_path: Path) -> None:
    make(tmp_path / "holder")
    path = tmp_path / "holder" / "keys.json"
    stored = json.loads(path.read_bytes())
    stored["secrets"] += "AAAA"
    path.write_bytes(json.dumps(stored).encode())
    with pytest.raises(VerificationFailed, match="damaged"):
        open_keys(tmp_path / "holder")
