"""Enrolments count once the operator accepted them; a space lists members as enrolled and this broker as it is."""

from typing import Any

import pytest

from broker.protocol import tokens
from broker.protocol.checkpoint import ED25519_COSIGNATURE, VerifierKey
from broker.protocol.documents import key_identifier, public_bytes, sign
from broker.protocol.messages.base import encode
from broker.protocol.messages.envelopes import DocumentMessage, Nothing
from broker.protocol.messages.parties import Reviewer, SaltWrap
from broker.protocol.messages.vocabulary import AgencyKind, Role
from broker.protocol.receipts import verify_log_proof
from tests.broker_case import SALT, SPACE_ID, Case, documents, key_of

WITNESSES = (str(VerifierKey("w1.example.org", ED25519_COSIGNATURE, bytes(32))),)
JSON = {"content-type": "application/json"}


def _kid(name: str) -> str:
    return key_identifier(public_bytes(key_of(name)))


def test_an_enrolment_counts_only_once_the_operator_accepted_it(case: Case) -> None:
    case.enrol(case.enrolment("company-1", Role.AGENCY, AgencyKind.COMPANY, "IE"), accept=False)
    assert case.get("company-1", f"/v1/spaces/{SPACE_ID.hex()}").slug == "unauthenticated"
    accepted = case.post(case.operator, f"/v1/operator/enrolments/{_kid('company-1')}/accept", Nothing())
    assert accepted.status == 200
    assert case.get("company-1", f"/v1/spaces/{SPACE_ID.hex()}").slug == "not-found"
    assert case.kinds() == ["BUNDLE_ACTIVATED", "ENROLMENT_ACCEPTED"]


def test_accepting_twice_is_answered_with_the_same_entry_and_logged_once(case: Case) -> None:
    case.enrol(case.enrolment("company-1", Role.AGENCY, AgencyKind.COMPANY, "IE"), accept=False)
    path = f"/v1/operator/enrolments/{_kid('company-1')}/accept"
    first, second = (case.post(case.operator, path, Nothing()).json for _ in range(2))
    assert first["proof"]["leaf"] == second["proof"]["leaf"]
    assert case.kinds().count("ENROLMENT_ACCEPTED") == 1


def test_only_the_operator_sees_and_accepts_enrolments(case: Case) -> None:
    case.enrol_all()
    case.enrol(case.enrolment("company-3", Role.AGENCY, AgencyKind.COMPANY, "IE"), accept=False)
    assert case.get("company-1", "/v1/operator/enrolments").slug == "not-permitted"
    path = f"/v1/operator/enrolments/{_kid('company-3')}/accept"
    assert case.post("company-1", path, Nothing()).slug == "not-permitted"
    listed = case.get(case.operator, "/v1/operator/enrolments").json["enrolments"]
    assert {each["party_id"]: each["state"] for each in listed}["company-3"] == "pending"


def test_an_enrolment_signed_by_another_key_than_it_names_is_refused(case: Case) -> None:
    enrolment = case.enrolment("company-1", Role.AGENCY, AgencyKind.COMPANY, "IE")
    forged = DocumentMessage(document=sign(enrolment, key_of("company-2")).document)
    assert case.raw("POST", "/v1/enrolments", JSON, encode(forged)).slug == "verification-failed"


def test_an_agency_without_a_kind_is_refused(case: Case) -> None:
    enrolment = case.enrolment("company-1", Role.AGENCY, None, "IE")
    body = DocumentMessage(document=sign(enrolment, key_of("company-1")).document)
    assert case.raw("POST", "/v1/enrolments", JSON, encode(body)).slug == "bad-input"


def test_an_accepted_key_cannot_be_enrolled_as_somebody_else(case: Case) -> None:
    case.enrol_all()
    enrolment = case.enrolment("company-1", Role.AGENCY, AgencyKind.COMPANY, "IE")
    other = enrolment.model_copy(update={"party_id": "unit-9"})
    body = DocumentMessage(document=sign(other, key_of("company-1")).document)
    assert case.raw("POST", "/v1/enrolments", JSON, encode(body)).slug == "conflict"


def test_what_the_operator_looked_at_cannot_be_exchanged_before_it_is_accepted(case: Case) -> None:
    enrolment = case.enrolment("company-1", Role.AGENCY, AgencyKind.COMPANY, "IE")
    case.enrol(enrolment, accept=False)
    other = enrolment.model_copy(update={"party_id": "unit-9", "kind": AgencyKind.POLICE})
    body = DocumentMessage(document=sign(other, key_of("company-1")).document)
    assert case.raw("POST", "/v1/enrolments", JSON, encode(body)).slug == "conflict"
    listed = case.get(case.operator, "/v1/operator/enrolments").json["enrolments"]
    assert [each["party_id"] for each in listed] == ["company-1"]


def test_an_agency_that_a_space_lists_as_its_auditor_reads_no_records(ready: Case) -> None:
    ready.enrol(ready.enrolment("outsider", Role.AGENCY, AgencyKind.NGO, "NL"))
    key = public_bytes(key_of("outsider"))
    listed = Reviewer(party_id="outsider", name="Outsider", signing_key=key)
    own = ready.space(space_id=bytes(16), members=ready.space().members[:1], auditors=(listed,))
    assert ready.found(own).status == 200
    assert ready.get("outsider", "/v1/audit/records?start=0&end=9").slug == "not-permitted"
    assert ready.get("auditor-1", "/v1/audit/records?start=0&end=9").status == 200


def test_a_second_key_under_an_accepted_name_is_not_accepted(case: Case) -> None:
    case.enrol_all()
    imposter = case.enrolment("imposter", Role.AGENCY, AgencyKind.COMPANY, "IE")
    body = DocumentMessage(
        document=sign(imposter.model_copy(update={"party_id": "company-1"}), key_of("imposter")).document
    )
    assert case.raw("POST", "/v1/enrolments", JSON, encode(body)).status == 202
    path = f"/v1/operator/enrolments/{_kid('imposter')}/accept"
    assert case.post(case.operator, path, Nothing()).slug == "conflict"


def test_a_space_is_founded_logged_and_given_to_those_it_names(case: Case) -> None:
    case.enrol_all()
    answer = case.found()
    entry = verify_log_proof(answer.receipt().proof, case.settings.log_origin, case.keys.log_public)
    assert (answer.status, answer.json["trial"], entry.content.kind) == (200, True, "SPACE_FOUNDED")
    for name in ("unit-1", "auditor-1"):
        assert "document" in case.get(name, f"/v1/spaces/{SPACE_ID.hex()}").json
    case.enrol(case.enrolment("outsider", Role.AGENCY, AgencyKind.NGO, "NL"))
    assert case.get("outsider", f"/v1/spaces/{SPACE_ID.hex()}").slug == "not-found"


def test_founding_the_same_space_again_is_answered_with_the_same_entry(ready: Case) -> None:
    assert ready.found().status == 200
    assert ready.kinds().count("SPACE_FOUNDED") == 1


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"broker_signing_key": bytes([1]) * 32}, "conflict"),
        ({"log_key": bytes([1]) * 32}, "conflict"),
        ({"broker_origin": "http://other.example.org"}, "conflict"),
        ({"log_origin": "other.example.org/log"}, "conflict"),
        ({"bundle_digest": bytes([1]) * 32}, "conflict"),
        ({"trial": False, "witnesses": WITNESSES, "witness_quorum": 1}, "conflict"),
        ({"roster_version": 2}, "conflict"),
    ],
)
def test_a_space_that_does_not_fit_this_broker_is_refused(
    case: Case, changes: dict[str, Any], slug: str
) -> None:
    case.enrol_all()
    assert case.found(case.space(**changes)).slug == slug
    assert "SPACE_FOUNDED" not in case.kinds()


def test_a_member_that_is_not_as_enrolled_is_refused(case: Case) -> None:
    case.enrol_all()
    space = case.space()
    for change in ({"kind": AgencyKind.NGO}, {"jurisdiction": "FR"}, {"signing_key": bytes([3]) * 32}):
        member = space.members[2].model_copy(update=change)
        changed = case.space(members=(*space.members[:2], member))
        assert case.found(changed).slug == "conflict"


def test_a_space_is_founded_by_a_member_over_its_own_signature(case: Case) -> None:
    case.enrol_all()
    assert case.found(who="auditor-1").slug == "not-permitted"
    forged = DocumentMessage(document=sign(case.space(), key_of("company-2")).document)
    assert case.post("company-1", "/v1/spaces", forged).slug == "verification-failed"


def test_the_next_roster_is_the_founders_and_keeps_the_holders(ready: Case) -> None:
    suspended = ready.space().members[2].model_copy(update={"suspended": True})
    second = ready.space(roster_version=2, members=(*ready.space().members[:2], suspended))
    assert ready.found(second, "company-2").slug == "not-permitted"
    assert ready.found(ready.space(roster_version=2, threshold=3)).slug == "conflict"
    assert ready.found(second).status == 200
    assert ready.found(second.model_copy(update={"roster_version": 4})).slug == "conflict"


def _wrap(recipient: str, **changes: Any) -> SaltWrap:
    wrap = SaltWrap(
        space_id=SPACE_ID,
        salt_id=tokens.salt_id(SALT),
        recipient_kid=_kid(recipient),
        wrapped=b"wrapped for " + recipient.encode(),
    )
    return wrap.model_copy(update=changes)


def test_a_member_gets_the_salt_that_was_wrapped_to_it_and_no_other(ready: Case) -> None:
    path = f"/v1/spaces/{SPACE_ID.hex()}/salt-wraps"
    signed = [sign(_wrap(name), key_of("company-1")).document for name in ("company-2", "unit-1")]
    assert ready.post("company-1", path, documents(*signed)).status == 200
    assert ready.post("company-1", path, documents(*signed)).status == 200
    assert ready.get("unit-1", path).json == {"documents": [signed[1]]}
    assert ready.get("company-1", path).json == {"documents": []}
    assert ready.get("auditor-1", path).slug == "not-found"


def test_a_wrap_for_an_outsider_another_salt_or_in_place_of_anothers_is_refused(ready: Case) -> None:
    path = f"/v1/spaces/{SPACE_ID.hex()}/salt-wraps"
    refused = {"recipient_kid": _kid("outsider")}, {"salt_id": bytes(32)}, {"space_id": bytes(16)}
    for change in refused:
        document = sign(_wrap("unit-1", **change), key_of("company-1")).document
        assert ready.post("company-1", path, documents(document)).slug == "bad-input"
    first = sign(_wrap("unit-1"), key_of("company-1")).document
    assert ready.post("company-1", path, documents(first)).status == 200
    usurper = sign(_wrap("unit-1"), key_of("company-2")).document
    assert ready.post("company-2", path, documents(usurper)).slug == "conflict"
    assert ready.post("company-1", path, documents(usurper)).slug == "verification-failed"
