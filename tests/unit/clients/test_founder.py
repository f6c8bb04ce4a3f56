"""Founding a space and joining it: the salt reaches members, and nobody else, and no key comes from the broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.protocol import documents, tokens, wrapping
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.envelopes import DocumentsMessage, Nothing
from broker.protocol.messages.parties import SaltWrap, Space
from broker.protocol.messages.vocabulary import AgencyKind, Purpose
from clients.founder import join
from clients.space_plan import DEFAULT_MANDATES
from tests import rules
from tests.contributor_case import BROKER, NOW, ContributorCase


@pytest.fixture
def case(tmp_path: Path) -> Iterator[ContributorCase]:
    made = ContributorCase(tmp_path)
    yield made
    made.close()


def test_members_come_to_have_one_salt_that_no_message_shows(case: ContributorCase) -> None:
    space = case.found().payload
    salt = case.company.salt(space)
    assert case.partner.salt(space) == salt
    assert tokens.salt_id(salt) == space.salt_id
    on_the_brokers_disk = b"".join(path.read_bytes() for path in case.folder.glob("broker.sqlite3*"))
    assert salt not in on_the_brokers_disk
    assert salt.hex().encode() not in on_the_brokers_disk


def test_a_legal_desk_pins_the_space_and_gets_no_salt(case: ContributorCase) -> None:
    signed = case.founder(case.company).found(case.plan())
    calls = len(case.wire.calls)
    join(case.desk, case.caller(case.desk), signed.document, case.company.enrolment)
    assert case.desk.space().payload == signed.payload
    assert not case.desk.has_salt(signed.payload)
    assert len(case.wire.calls) == calls


def test_a_space_handed_over_with_somebody_elses_enrolment_is_not_joined(case: ContributorCase) -> None:
    signed = case.founder(case.company).found(case.plan())
    with pytest.raises(VerificationFailed):
        join(case.partner, case.caller(case.partner), signed.document, case.partner.enrolment)
    assert case.partner.space_ids() == ()


def test_a_member_whose_wrap_is_missing_is_told_so_and_can_join_later(case: ContributorCase) -> None:
    def lose_the_wraps(number: int, moment: str) -> None:
        if moment == "before" and case.wire.calls[number].endswith("/salt-wraps"):
            raise RuntimeError("the line broke")

    case.wire.cut = lose_the_wraps
    with pytest.raises(RuntimeError):
        case.founder(case.company).found(case.plan())
    case.wire.cut = None
    signed = case.company.space()
    with pytest.raises(NotFound):
        join(case.partner, case.caller(case.partner), signed.document, case.company.enrolment)
    case.founder(case.company).publish(signed)
    join(case.partner, case.caller(case.partner), signed.document, case.company.enrolment)
    assert case.partner.has_salt(signed.payload)


def test_a_wrap_of_another_salt_is_refused_even_from_a_member(case: ContributorCase) -> None:
    space = case.founder(case.company).found(case.plan()).payload
    kid = case.partner.identity.kid
    info = wrapping.salt_info(space.space_id, space.salt_id, kid)
    forged = SaltWrap(
        space_id=space.space_id,
        salt_id=space.salt_id,
        recipient_kid=kid,
        wrapped=wrapping.wrap(case.partner.identity.wrapping_key, bytes(32), info),
    )
    document = documents.sign(forged, case.company.signing_key).document
    url = f"{BROKER}/v1/spaces/{space.space_id.hex()}/salt-wraps"
    case.caller(case.company).post(url, DocumentsMessage(documents=(document,)), Nothing)
    with pytest.raises(VerificationFailed):
        join(case.partner, case.caller(case.partner), case.company.space().document, case.company.enrolment)
    assert not case.partner.has_salt(space)


def test_a_type_that_there_is_not_founds_nothing_and_the_types_are_named(case: ContributorCase) -> None:
    calls = len(case.wire.calls)
    with pytest.raises(BadInput, match=r"number 2.*licence_plate, passport_mrz") as refusal:
        case.founder(case.company).found(case.plan(identifier_types=["phone", "license_plate"]))
    assert "license_plate" not in refusal.value.detail
    assert len(case.wire.calls) == calls
    with pytest.raises(NotFound):
        case.company.space()


def test_a_new_member_gets_the_salt_with_the_next_roster(case: ContributorCase) -> None:
    first = case.found().payload
    police = case.agency("police-unit", AgencyKind.POLICE)
    signed = case.founder(case.company).add_member(None, police.enrolment)
    assert signed.payload.roster_version == 2
    assert signed.payload.members[-1].mandates == DEFAULT_MANDATES[AgencyKind.POLICE]
    join(police, case.caller(police), signed.document, case.company.enrolment)
    assert police.salt(signed.payload) == case.company.salt(first)


def test_only_the_founder_makes_rosters(case: ContributorCase) -> None:
    case.found()
    police = case.agency("police-unit", AgencyKind.POLICE)
    with pytest.raises(VerificationFailed):
        case.founder(case.partner).add_member(None, police.enrolment)
    assert case.partner.space().payload.roster_version == 1


def test_a_member_can_be_suspended_and_stays_named(case: ContributorCase) -> None:
    case.found()
    roster = case.founder(case.company).suspend_member(None, "payments-company").payload
    assert [member.suspended for member in roster.members] == [False, True]


def test_mandates_the_founder_names_go_before_the_usual_ones(case: ContributorCase) -> None:
    plan = case.plan(mandates={"payments-company": (Purpose.FINANCIAL_TRAIL,)})
    space: Space = case.founder(case.company).found(plan).payload
    assert space.members[1].mandates == (Purpose.FINANCIAL_TRAIL,)
    with pytest.raises(BadInput, match="not among the members"):
        case.founder(case.company).found(case.plan(mandates={"nobody": ()}))


def test_one_of_three_holders_is_no_threshold(case: ContributorCase) -> None:
    plan = case.plan(threshold=1)
    with pytest.raises(BadInput, match="threshold"):
        case.founder(case.company).found(plan)
    assert case.company.space_ids() == ()


def test_a_founder_who_is_no_member_is_refused_before_anything_is_sent(case: ContributorCase) -> None:
    calls = len(case.wire.calls)
    with pytest.raises(NotPermitted):
        case.founder(case.company).found(case.plan(members=[case.partner.enrolment]))
    assert len(case.wire.calls) == calls


def test_a_space_under_other_rules_than_the_brokers_is_refused(case: ContributorCase) -> None:
    with pytest.raises(Conflict):
        case.founder(case.company).found(case.plan(bundle_digest=bytes(32)))


def put_in_force(case: ContributorCase, folder: Path) -> bytes:
    """The broker's operator puts changed rules in force and starts the broker again; their digest."""
    source = rules.changed_rules(folder, lambda text: text + "# another digest\n")
    rules.sign_rules(source, NOW - 60, case.bundle.digest)
    digest = rules.activate_at_broker(case.broker, source).bundle.digest
    case.restart_broker()
    return digest


def test_a_founder_agrees_to_rules_that_were_put_in_force(case: ContributorCase, tmp_path: Path) -> None:
    first = case.found().payload
    digest = put_in_force(case, tmp_path / "rules")
    roster = case.founder(case.company).change_rules(None, digest).payload
    assert (roster.roster_version, roster.bundle_digest) == (2, digest)
    assert roster.model_copy(update={"roster_version": 1, "bundle_digest": first.bundle_digest}) == first
    with pytest.raises(BadInput, match="already"):
        case.founder(case.company).change_rules(None, digest)


def test_rules_that_are_not_in_force_stand_in_the_way_of_no_later_roster(case: ContributorCase) -> None:
    case.found()
    with pytest.raises(Conflict, match="another rule bundle"):
        case.founder(case.company).change_rules(None, bytes(32))
    assert case.company.space().payload.roster_version == 1
    assert case.founder(case.company).suspend_member(None, "payments-company").payload.roster_version == 2


def test_a_change_of_rules_that_broke_off_is_finished_by_the_same_call(
    case: ContributorCase, tmp_path: Path
) -> None:
    case.found()
    digest = put_in_force(case, tmp_path / "rules")

    def break_after_the_broker_took_it(number: int, moment: str) -> None:
        if moment == "after" and case.wire.calls[number].endswith("/v1/spaces"):
            raise RuntimeError("the line broke")

    case.wire.cut = break_after_the_broker_took_it
    with pytest.raises(RuntimeError):
        case.founder(case.company).change_rules(None, digest)
    case.wire.cut = None
    assert case.company.space().payload.roster_version == 1
    assert case.founder(case.company).change_rules(None, digest).payload.roster_version == 2
    assert case.company.space().payload.bundle_digest == digest
