"""Two officers put rules in force: what counts as their approval, and each way in which it does not."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.gate.activation import InForce, check_approved, read_signatures
from broker.gate.bundle import Bundle, load
from broker.gate.officers import PinnedOfficers
from broker.protocol.errors import BadInput, Conflict, Expired, NotPermitted, VerificationFailed
from broker.protocol.messages.bundles import RuleOfficer
from tests import rules
from tests.rules import POLICIES, approval

NOW = 1_790_000_000
OLD = InForce(bytes(range(32)), NOW - 1000)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(POLICIES)


@pytest.fixture
def officers(tmp_path: Path) -> Mapping[str, RuleOfficer]:
    pinned = PinnedOfficers(tmp_path)
    for name in rules.OFFICERS:
        pinned.pin(rules.officer_document(name))
    return pinned.all()


def signed(
    name: str, valid_from: int = NOW, previous: bytes | None = OLD.bundle_digest, **changes: object
) -> str:
    return approval(POLICIES, name, valid_from, previous, **changes)


def both(**changes: object) -> list[str]:
    return [signed(name, **changes) for name in rules.OFFICERS]  # type: ignore[arg-type]  # passed on by name


def test_two_officers_put_rules_in_force(bundle: Bundle, officers: Mapping[str, RuleOfficer]) -> None:
    approved = check_approved(bundle, both(), officers, OLD, NOW)
    assert (approved.bundle, approved.valid_from, approved.approvals) == (bundle, NOW, tuple(both()))


def test_rules_that_nobody_signed_are_refused(bundle: Bundle, officers: Mapping[str, RuleOfficer]) -> None:
    with pytest.raises(VerificationFailed, match="not signed"):
        check_approved(bundle, [], officers, OLD, NOW)


def test_one_signature_is_refused(bundle: Bundle, officers: Mapping[str, RuleOfficer]) -> None:
    with pytest.raises(VerificationFailed, match="one stands alone"):
        check_approved(bundle, [signed("officer-1")], officers, OLD, NOW)


def test_two_signatures_of_the_same_officer_are_one(
    bundle: Bundle, officers: Mapping[str, RuleOfficer]
) -> None:
    twice = [signed("officer-1"), signed("officer-1", changes="In other words.")]
    with pytest.raises(VerificationFailed, match="one stands alone"):
        check_approved(bundle, twice, officers, OLD, NOW)


def test_a_signature_over_other_rules_does_not_count(
    bundle: Bundle, officers: Mapping[str, RuleOfficer]
) -> None:
    other = signed("officer-2", bundle_digest=bytes(32))
    with pytest.raises(VerificationFailed, match="over other rules than these"):
        check_approved(bundle, [signed("officer-1"), other], officers, OLD, NOW)


def test_a_signature_of_an_officer_who_is_not_pinned_does_not_count(
    bundle: Bundle, officers: Mapping[str, RuleOfficer]
) -> None:
    with pytest.raises(VerificationFailed, match="not pinned here"):
        check_approved(bundle, [signed("officer-1"), signed("officer-3")], officers, OLD, NOW)


def test_officers_who_signed_for_two_dates_did_not_agree(
    bundle: Bundle, officers: Mapping[str, RuleOfficer]
) -> None:
    apart = [signed("officer-1"), signed("officer-2", valid_from=NOW - 1)]
    with pytest.raises(VerificationFailed, match="same predecessor and time"):
        check_approved(bundle, apart, officers, OLD, NOW)


def test_an_officer_who_signs_under_anothers_name_does_not_count(
    bundle: Bundle, officers: Mapping[str, RuleOfficer]
) -> None:
    for lie in (
        signed("officer-2", officer_id="officer-1"),
        signed("officer-2", office="data-protection officer"),
    ):
        with pytest.raises(VerificationFailed, match="another officer or office"):
            check_approved(bundle, [signed("officer-1"), lie], officers, OLD, NOW)


def test_a_forged_signature_is_refused(bundle: Bundle, officers: Mapping[str, RuleOfficer]) -> None:
    header, payload, _ = signed("officer-2").split(".")
    forged = ".".join((header, payload, signed("officer-1").split(".")[2]))
    with pytest.raises(VerificationFailed, match="does not verify"):
        check_approved(bundle, [signed("officer-1"), forged], officers, OLD, NOW)


def test_rules_before_their_time_are_refused_with_the_date(
    bundle: Bundle, officers: Mapping[str, RuleOfficer]
) -> None:
    with pytest.raises(Expired, match=r"valid from 2026-09-21 \d\d:\d\d UTC"):
        check_approved(bundle, both(valid_from=NOW + 60), officers, OLD, NOW)
    assert check_approved(bundle, both(valid_from=NOW + 60), officers, OLD, NOW + 60).valid_from == NOW + 60


def test_rules_that_follow_others_than_those_in_force_are_refused(
    bundle: Bundle, officers: Mapping[str, RuleOfficer]
) -> None:
    for previous in (None, bytes(32)):
        with pytest.raises(Conflict, match="follow others"):
            check_approved(bundle, both(previous=previous), officers, OLD, NOW)


def test_an_old_approval_brings_no_old_rules_back(
    bundle: Bundle, officers: Mapping[str, RuleOfficer]
) -> None:
    """A then B then A again: what was signed to put B after A the first time does not do so a second time."""
    again = InForce(OLD.bundle_digest, NOW)
    with pytest.raises(Conflict, match="from a time before"):
        check_approved(bundle, both(valid_from=NOW), officers, again, NOW + 1000)


def test_where_nothing_is_in_force_any_predecessor_will_do(
    bundle: Bundle, officers: Mapping[str, RuleOfficer]
) -> None:
    assert check_approved(bundle, both(), officers, None, NOW).valid_from == NOW


def test_with_fewer_than_two_officers_pinned_nothing_is_put_in_force(
    bundle: Bundle, officers: Mapping[str, RuleOfficer]
) -> None:
    one = dict(itertools.islice(officers.items(), 1))
    for pinned in ({}, one):
        with pytest.raises(NotPermitted, match=f"are pinned here: {len(pinned)}"):
            check_approved(bundle, both(), pinned, OLD, NOW)


KINDS = st.sampled_from(["officer-1", "officer-2", "officer-3"])
SIGNATURES = st.lists(st.tuples(KINDS, st.booleans(), st.booleans(), st.booleans()), max_size=6)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SIGNATURES)
def test_whatever_is_signed_two_distinct_pinned_officers_have_to_agree(
    bundle: Bundle, officers: Mapping[str, RuleOfficer], given: list[tuple[str, bool, bool, bool]]
) -> None:
    """Each signature is by one of three, of whom two are pinned; over these rules or not; for now or later, and after
    what is in force or not."""
    documents = [
        signed(
            name,
            valid_from=NOW if now else NOW + 9,
            previous=OLD.bundle_digest if follows else bytes(32),
            **({} if ours else {"bundle_digest": bytes(32)}),
        )
        for name, ours, now, follows in given
    ]
    good = {name for name, *right in given if all(right) and name in rules.OFFICERS}
    if good == set(rules.OFFICERS):
        assert len(check_approved(bundle, documents, officers, OLD, NOW).approvals) == 2
    else:
        with pytest.raises((VerificationFailed, Conflict, Expired)):
            check_approved(bundle, documents, officers, OLD, NOW)


def test_signatures_are_read_from_beside_the_rules_and_do_not_change_their_digest(
    bundle: Bundle, tmp_path: Path
) -> None:
    source = rules.changed_rules(tmp_path / "rules", lambda text: text + "# no change of rules\n")
    digest = load(source).digest
    assert read_signatures(source) == ()
    rules.sign_rules(source)
    assert (len(read_signatures(source)), load(source).digest) == (2, digest)
    (source / "signatures" / "note.jws").write_text("not a document")
    with pytest.raises(BadInput):
        read_signatures(source)
