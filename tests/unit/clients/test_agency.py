"""An enrolment proves possession of its key, and nothing about who has it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from broker.protocol import documents
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import blob_from_text, blob_to_text, encode
from broker.protocol.messages.envelopes import Nothing
from broker.protocol.messages.vocabulary import AgencyKind, Role
from clients.agency import enrol, read_enrolment
from clients.home import Home, Persona
from clients.transport import Answer, Caller

NOW = 1_790_000_000


def _home(directory: Path) -> Home:
    persona = Persona("harbour-police", "Harbour Police", Role.AGENCY, "NL", AgencyKind.POLICE)
    return Home.create(directory, persona, now=NOW, random_bytes=os.urandom)


def test_an_enrolment_is_read_back_with_its_thumbprint(tmp_path: Path) -> None:
    home = _home(tmp_path)
    signed = read_enrolment(home.enrolment, Role.AGENCY)
    assert signed.kid == home.identity.kid
    assert signed.payload.party_id == "harbour-police"


def test_an_enrolment_in_another_role_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="key_holder"):
        read_enrolment(_home(tmp_path).enrolment, Role.KEY_HOLDER)


def test_an_enrolment_whose_name_was_changed_is_refused(tmp_path: Path) -> None:
    header, payload, signature = _home(tmp_path).enrolment.split(".")
    changed = blob_from_text(payload).replace(b"Harbour Police", b"Airport Police")
    assert changed != blob_from_text(payload)
    with pytest.raises(VerificationFailed):
        read_enrolment(".".join((header, blob_to_text(changed), signature)))


def test_an_enrolment_that_names_a_key_it_is_not_signed_by_is_refused(tmp_path: Path) -> None:
    mine, theirs = _home(tmp_path / "mine"), _home(tmp_path / "theirs")
    claimed = read_enrolment(theirs.enrolment).payload
    with pytest.raises(VerificationFailed):
        read_enrolment(documents.sign(claimed, mine.signing_key).document)


def test_what_is_no_document_at_all_is_bad_input() -> None:
    for text in ("", "a.b", "a.b.c", "hello"):
        with pytest.raises(BadInput):
            read_enrolment(text)


def test_enrolling_sends_the_document_and_tells_the_thumbprint(tmp_path: Path) -> None:
    home = _home(tmp_path)
    sent: list[tuple[str, str, bytes]] = []

    class Broker:
        def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
            sent.append((method, url, body))
            return Answer(202, (), encode(Nothing()))

    caller = Caller(Broker(), home.signing_key, lambda: NOW, os.urandom)
    assert enrol(home, caller, "https://broker.example.org") == home.identity.kid
    ((method, url, body),) = sent
    assert (method, url) == ("POST", "https://broker.example.org/v1/enrolments")
    assert read_enrolment(json.loads(body)["document"]).payload.party_id == "harbour-police"
