"""An officer signs what it was shown, once, and lays it beside the rules."""

import os
from pathlib import Path

import pytest

from broker.gate.activation import InForce, check_approved, read_signatures
from broker.gate.bundle import load
from broker.gate.officers import PinnedOfficers, read_officer
from broker.protocol.documents import public_bytes, verify
from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.messages.bundles import BundleApproval
from clients.rule_officer import Officer, lay_beside
from tests.rules import POLICIES, changed_rules, officer_key

NOW = 1_790_000_000


def made(folder: Path, name: str, passphrase: str | None = None) -> Officer:
    return Officer.create(
        folder / name,
        name,
        name.replace("-", " ").capitalize(),
        "data-protection officer",
        now=NOW,
        random_bytes=os.urandom,
        passphrase=passphrase,
    )


def test_what_two_officers_sign_can_be_put_in_force(tmp_path: Path) -> None:
    """From their keys to what an operator checks, with the rules they replace."""
    source = changed_rules(tmp_path / "rules", lambda text: text + "# new\n")
    before, rules, pinned = load(POLICIES), load(source), PinnedOfficers(tmp_path)
    for name in ("officer-a", "officer-b"):
        officer = made(tmp_path, name)
        pinned.pin((tmp_path / name / "officer.jws").read_text())
        lay_beside(source, officer.approve(rules, before, NOW, "A comment.", NOW))
    in_force = InForce(before.digest, NOW - 1)
    approved = check_approved(rules, read_signatures(source), pinned.all(), in_force, NOW)
    said = [
        verify(
            BundleApproval, document, {kid: each.signing_key for kid, each in pinned.all().items()}
        ).payload
        for document in approved.approvals
    ]
    assert [(each.officer_id, each.office, each.changes) for each in said] == [
        (name, "data-protection officer", "A comment.") for name in ("officer-a", "officer-b")
    ]


def test_an_officer_is_opened_again_and_locked_by_a_passphrase(tmp_path: Path) -> None:
    public = made(tmp_path, "officer-a", "correct horse").public
    assert Officer.open(tmp_path / "officer-a", os.urandom, "correct horse").public == public
    for passphrase, error in ((None, BadInput), ("wrong", VerificationFailed)):
        with pytest.raises(error):
            Officer.open(tmp_path / "officer-a", os.urandom, passphrase)
    with pytest.raises(NotFound):
        Officer.open(tmp_path / "nobody", os.urandom)
    with pytest.raises(Conflict):
        made(tmp_path, "officer-a")


def test_the_public_file_is_signed_by_the_key_it_names(tmp_path: Path) -> None:
    officer = made(tmp_path, "officer-a").public
    document = (tmp_path / "officer-a" / "officer.jws").read_text()
    assert read_officer(document).payload == officer
    assert officer.signing_key != public_bytes(officer_key("officer-a"))


def test_a_folder_whose_key_is_anothers_is_refused(tmp_path: Path) -> None:
    made(tmp_path, "officer-a")
    made(tmp_path, "officer-b")
    (tmp_path / "officer-a" / "officer.jws").write_text((tmp_path / "officer-b" / "officer.jws").read_text())
    with pytest.raises(VerificationFailed, match="not the one of its officer"):
        Officer.open(tmp_path / "officer-a", os.urandom)


def test_the_same_rules_are_signed_once_for_a_time(tmp_path: Path) -> None:
    source = changed_rules(tmp_path / "rules", lambda text: text + "# new\n")
    officer, rules = made(tmp_path, "officer-a"), load(source)
    path = lay_beside(source, officer.approve(rules, None, NOW, "The first rules.", NOW))
    before = path.read_bytes()
    with pytest.raises(Conflict, match="before"):
        lay_beside(source, officer.approve(rules, None, NOW, "Something else.", NOW))
    assert path.read_bytes() == before
    assert load(source).digest == rules.digest


@pytest.mark.parametrize(
    ("changes", "follows_itself", "words"),
    [
        ("  ", False, "what changes"),
        ("x" * 4001, False, "no approval"),
        ("Nothing.", True, "nothing would change"),
    ],
)
def test_what_says_nothing_is_not_signed(
    tmp_path: Path, changes: str, follows_itself: bool, words: str
) -> None:
    rules = load(POLICIES)
    with pytest.raises(BadInput, match=words):
        made(tmp_path, "officer-a").approve(rules, rules if follows_itself else None, NOW, changes, NOW)


def test_a_name_that_is_none_makes_no_officer(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="officer_id"):
        made(tmp_path, "Not A Name")
    assert not (tmp_path / "Not A Name").exists()
