"""The legal desk signs what it found about exactly one request, and only as a desk of the space."""

from pathlib import Path

import pytest

from broker.protocol import documents
from broker.protocol.errors import BadInput, NotPermitted, VerificationFailed
from broker.protocol.messages.requests import Finding
from broker.protocol.messages.vocabulary import Purpose, Tier, Urgency
from clients.legal_desk import FindingAnswers, LegalDesk
from tests.messages_examples import CLAIMS, NOW
from tests.requester_world import RequesterWorld, phone


@pytest.fixture
def world(tmp_path: Path) -> RequesterWorld:
    return RequesterWorld(tmp_path)


@pytest.fixture
def desk(world: RequesterWorld) -> LegalDesk:
    return LegalDesk(world.homes["desk-1"], world.space, world.clock, world.random_bytes)


@pytest.fixture
def request_document(world: RequesterWorld) -> str:
    return world.requester().prepare({"phone": [phone(1)]}, CLAIMS, Tier.HITS).document


def test_the_answers_start_from_the_claims_and_the_lawyer_changes_them(
    desk: LegalDesk, request_document: str
) -> None:
    template = desk.template(desk.read(request_document).payload)
    assert (template.basis, template.purpose, template.threat_to_life) == (
        CLAIMS.basis,
        CLAIMS.purpose,
        False,
    )
    corrected = template.model_copy(update={"purpose": Purpose.IMMIGRATION_ENFORCEMENT})
    finding = desk.find(request_document, corrected).payload
    assert finding.purpose is Purpose.IMMIGRATION_ENFORCEMENT
    assert {name: getattr(finding, name) for name in FindingAnswers.model_fields} == {
        name: getattr(corrected, name) for name in FindingAnswers.model_fields
    }


def test_an_emergency_is_offered_for_confirmation_and_a_missing_necessity_is_not_filled_in(
    world: RequesterWorld, desk: LegalDesk
) -> None:
    claims = CLAIMS.model_copy(update={"urgency": Urgency.EMERGENCY, "necessity": "  "})
    document = world.requester().prepare({"phone": [phone(1)]}, claims, Tier.HITS).document
    template = desk.template(desk.read(document).payload)
    assert template.threat_to_life
    assert not template.necessity_shown


def test_a_finding_binds_the_bytes_of_the_request_and_its_time(
    world: RequesterWorld, desk: LegalDesk, request_document: str
) -> None:
    signed = desk.read(request_document)
    found = desk.find(request_document, desk.template(signed.payload), valid_days=7)
    verified = documents.verify(Finding, found.document, world.space.legal_desks[0].signing_key).payload
    assert verified.request_digest == signed.digest
    assert (verified.found_at, verified.expires_at) == (NOW, NOW + 7 * 86_400)
    assert world.homes["desk-1"].vault.names("findings") == (f"{verified.finding_id.hex()}.jws",)


@pytest.mark.parametrize("days", [0, 91])
def test_a_finding_is_valid_for_a_bounded_time(desk: LegalDesk, request_document: str, days: int) -> None:
    with pytest.raises(BadInput, match="1 to 90"):
        desk.find(request_document, desk.template(desk.read(request_document).payload), days)


def test_a_request_that_no_member_signed_is_not_read(
    world: RequesterWorld, desk: LegalDesk, request_document: str
) -> None:
    request = desk.read(request_document).payload
    with pytest.raises(VerificationFailed):
        desk.read(documents.sign(request, world.broker_key).document)


def test_a_member_cannot_ask_in_another_members_name(world: RequesterWorld, desk: LegalDesk) -> None:
    request = desk.read(world.requester().prepare({"phone": [phone(1)]}, CLAIMS, Tier.HITS).document).payload
    other = request.model_copy(update={"requester": "unit-2"})
    with pytest.raises(NotPermitted):
        desk.read(documents.sign(other, world.home.signing_key).document)


@pytest.mark.parametrize("change", [{"space_id": bytes([1]) * 16}, {"roster_version": 2}], ids=str)
def test_a_request_of_another_space_or_roster_is_not_read(
    world: RequesterWorld, desk: LegalDesk, request_document: str, change: dict[str, object]
) -> None:
    request = desk.read(request_document).payload.model_copy(update=change)
    with pytest.raises(BadInput, match="another"):
        desk.read(documents.sign(request, world.home.signing_key).document)


def test_a_party_that_the_space_does_not_name_is_no_desk(world: RequesterWorld) -> None:
    with pytest.raises(NotPermitted):
        LegalDesk(world.home, world.space, world.clock, world.random_bytes)
