"""Every signed document that the records hold or name is verified, or is said to be unverified and why."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from broker.protocol import documents
from broker.protocol.errors import BadInput
from broker.protocol.messages.bundles import BundleApproval
from broker.protocol.messages.requests import Finding
from clients.auditing.papers import Papers, Signers, officers_of
from clients.auditing.signed_documents import (
    ERASED,
    NO_KEY,
    NO_OFFICER,
    NOT_AT_HAND,
    NOT_NAMED,
    DocumentsCheck,
    DocumentsReport,
    Logged,
)
from tests import rules
from tests.broker_case import key_of
from tests.world import World


@pytest.fixture(scope="module")
def logged(honest: World) -> tuple[Logged, ...]:
    """The honest log as the auditor mirrored it."""
    auditor = honest.auditor()
    auditor.verify()
    return tuple(Logged(each.index, each.content.kind, each.record) for each in auditor.entries())


def checked(
    world: World, entries: Iterable[Logged], papers: Iterable[Path] = (), officers: Iterable[str] = ()
) -> DocumentsReport:
    home = world.homes["auditor-1"]
    rosters = list(home.rosters())
    signers = Signers([each.payload for each in rosters], [home.founder_key(world.space.space_id)])
    held = Papers(papers, [each.document for each in rosters])
    return DocumentsCheck(held, signers, officers_of(officers)).check(entries)


def reasons(report: DocumentsReport) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for each in report.unverified:
        found.setdefault(each.document, set()).add(each.reason)
    return found


def both_officers() -> list[str]:
    return [rules.officer_document(name) for name in rules.OFFICERS]


def test_with_the_parties_papers_and_the_officers_files_all_verifies(
    honest: World, logged: tuple[Logged, ...]
) -> None:
    report = checked(honest, logged, [honest.folder], both_officers())
    assert report.failed == ()
    assert set(report.verified) >= {
        *(
            "BundleApproval",
            "Enrolment",
            "Space",
            "SeriesManifest",
            "DepositDeclaration",
            "SelfTest",
            "Request",
        ),
        *("Finding", "Approval", "Disclosure", "ContributorRelease", "EmergencyReview", "RecordWithdrawal"),
    }
    assert report.verified["BundleApproval"] == 2
    # A home keeps what is contested in it sealed.
    assert reasons(report) == {"Permit": {NOT_NAMED}, "ContestStatement": {NOT_AT_HAND}}


def test_without_papers_what_the_log_names_by_digest_is_said_to_be_unverified(
    honest: World, logged: tuple[Logged, ...]
) -> None:
    report = checked(honest, logged)
    assert report.failed == ()
    assert dict(report.verified) == {"Space": 1}, "the roster is pinned"
    told = reasons(report)
    assert told["Request"] == {NOT_AT_HAND}
    assert told["Finding"] == {NOT_AT_HAND, NOT_NAMED}
    assert told["BundleApproval"] == {NO_OFFICER}
    requests = next(each for each in report.unverified if each.document == "Request")
    assert requests.number > len(requests.entries) == 5


def test_permits_are_held_against_the_terms_in_the_log(
    honest: World, logged: tuple[Logged, ...], tmp_path: Path
) -> None:
    admissions = honest.folder.rglob("admission.json")
    kept = [path.read_text().partition('"permit":"')[2].partition('"')[0] for path in admissions]
    for number, document in enumerate(kept):
        (tmp_path / f"{number}.jws").write_text(document)
    report = checked(honest, logged, [tmp_path])
    assert report.verified["Permit"] == len(kept) > 3
    assert report.failed == ()


def test_an_officer_who_signed_for_other_rules_is_found(honest: World, logged: tuple[Logged, ...]) -> None:
    first = next(each for each in logged if each.kind == "BUNDLE_ACTIVATED")
    assert first.record is not None
    changed = Logged(first.index, first.kind, first.record.replace(b'"valid_from":1', b'"valid_from":2'))
    report = checked(honest, [changed], officers=both_officers())
    assert [(each.index, each.document) for each in report.failed] == [(first.index, "BundleApproval")] * 2


def test_rules_that_one_officer_signed_twice_are_found(honest: World, logged: tuple[Logged, ...]) -> None:
    first = next(each for each in logged if each.kind == "BUNDLE_ACTIVATED")
    assert first.record is not None
    one, other = (
        text.decode() for text in first.record.split(b'"approvals":["')[1].split(b'"]')[0].split(b'","')
    )
    changed = Logged(first.index, first.kind, first.record.replace(other.encode(), one.encode()))
    report = checked(honest, [changed], officers=both_officers())
    assert [each.reason for each in report.failed] == [
        "Rules are put in force by two officers, and the entry holds no two officers' approvals."
    ]


def test_a_signature_that_does_not_hold_is_a_fault(honest: World, logged: tuple[Logged, ...]) -> None:
    first = next(each for each in logged if each.kind == "BUNDLE_ACTIVATED")
    assert first.record is not None
    said = documents.unverified_payload(
        BundleApproval, first.record.split(b'"approvals":["')[1].split(b'"')[0].decode()
    )
    forged = documents.sign(said, key_of("mallory")).document
    true = documents.sign(said, rules.officer_key(said.officer_id)).document
    head, body, _ = true.split(".")
    broken = f"{head}.{body}.{forged.split('.')[2]}"
    changed = first.record.replace(true.encode(), broken.encode())
    assert changed != first.record
    report = checked(honest, [Logged(first.index, first.kind, changed)], officers=both_officers())
    assert [each.document for each in report.failed] == ["BundleApproval"]
    assert report.verified["BundleApproval"] == 1


def test_a_finding_by_somebody_who_is_no_desk_is_not_counted_as_verified(
    honest: World, logged: tuple[Logged, ...], tmp_path: Path
) -> None:
    path = next((honest.folder / "desk-1").rglob("findings/*.jws"))
    said = documents.unverified_payload(Finding, path.read_text())
    (tmp_path / "finding.jws").write_text(documents.sign(said, key_of("mallory")).document)
    report = checked(honest, logged, [tmp_path])
    assert "Finding" not in report.verified
    assert NO_KEY in reasons(report)["Finding"]


def test_an_erased_activation_is_told(honest: World, logged: tuple[Logged, ...]) -> None:
    first = next(each for each in logged if each.kind == "BUNDLE_ACTIVATED")
    report = checked(honest, [Logged(first.index, first.kind, None)], officers=both_officers())
    assert reasons(report) == {"BundleApproval": {ERASED}}


def test_papers_lie_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--papers"):
        Papers([tmp_path / "nothing"])
