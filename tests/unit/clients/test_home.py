"""A party's home: identity, pinned spaces and salts, and what cannot be slipped into it."""

import hashlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import documents, tokens, wrapping
from broker.protocol.checkpoint import ED25519_COSIGNATURE, verifier_key
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, VerificationFailed
from broker.protocol.messages.parties import Enrolment, Holder, Member, Reviewer, Space
from broker.protocol.messages.vocabulary import AgencyKind, Role
from clients.home import Home, Persona

NOW = 1_790_000_000
SALT = bytes(range(32))
HELPLINE = Persona("north-helpline", "North Helpline", Role.AGENCY, "GB", AgencyKind.HELPLINE)


def _home(directory: Path, persona: Persona = HELPLINE) -> Home:
    return Home.create(directory, persona, now=NOW, random_bytes=os.urandom)


def _space(founder: Home, *others: Home, roster_version: int = 1, name: str = "North Sea") -> Space:
    members = tuple(
        Member(
            agency_id=home.party_id,
            name=home.identity.name,
            kind=AgencyKind.HELPLINE,
            jurisdiction="GB",
            mandates=(),
            signing_key=home.identity.signing_key,
            wrapping_key=home.identity.wrapping_key,
        )
        for home in (founder, *others)
    )
    holders = tuple(
        Holder(
            holder_id=f"holder-{x}",
            name=f"Holder {x}",
            x=x,
            signing_key=hashlib.sha256(b"holder %d" % x).digest(),
            wrapping_key=b"",
            origin=f"https://holder{x}.example.org",
        )
        for x in (1, 2, 3)
    )
    return Space(
        space_id=bytes(16),
        name=name,
        roster_version=roster_version,
        members=members,
        holders=holders,
        threshold=2,
        legal_desks=(Reviewer(party_id="desk", name="Desk", signing_key=b"d" * 32),),
        broker_origin="https://broker.example.org",
        broker_signing_key=b"b" * 32,
        log_origin="broker.example.org/log",
        log_key=b"l" * 32,
        identifier_types=("phone",),
        size_class=512,
        salt_id=tokens.salt_id(SALT),
        bundle_digest=bytes(32),
        trial=True,
        count_epsilon_millis=500,
        count_budget_millis=5_000,
        founded_at=NOW,
    )


def _sign(space: Space, home: Home) -> str:
    return documents.sign(space, home.signing_key).document


def test_a_home_comes_back_with_the_same_keys(tmp_path: Path) -> None:
    made = _home(tmp_path / "home")
    opened = Home.open(tmp_path / "home", os.urandom)
    assert opened.identity == made.identity
    assert documents.public_bytes(opened.signing_key) == made.identity.signing_key


def test_the_enrolment_is_signed_by_the_key_it_names(tmp_path: Path) -> None:
    home = _home(tmp_path)
    enrolment = documents.verify(Enrolment, home.enrolment, home.identity.signing_key).payload
    assert enrolment.party_id == "north-helpline"
    assert enrolment.kind is AgencyKind.HELPLINE
    assert enrolment.wrapping_key == home.identity.wrapping_key


def test_what_is_wrapped_to_the_enrolled_key_opens_here_and_under_no_other_purpose(tmp_path: Path) -> None:
    home = _home(tmp_path)
    wrapped = wrapping.wrap(home.identity.wrapping_key, b"for you", b"purpose")
    assert home.unwrap(wrapped, b"purpose") == b"for you"
    with pytest.raises(VerificationFailed):
        home.unwrap(wrapped, b"another purpose")


def test_neither_key_lies_on_the_disk_in_the_clear(tmp_path: Path) -> None:
    home = _home(tmp_path)
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    seed = home.signing_key.private_bytes_raw()
    wrapping_private = home.vault.read_secret("secrets/wrapping")
    for secret in (seed, wrapping_private, wrapping_private[:64], wrapping_private[64:]):
        assert secret not in on_disk
        assert secret.hex().encode() not in on_disk


@pytest.mark.parametrize(
    "persona",
    [
        Persona("North Helpline", "North", Role.AGENCY, "GB", AgencyKind.HELPLINE),
        Persona("north", "North", Role.AGENCY, "United Kingdom", AgencyKind.HELPLINE),
        Persona("north", "North", Role.AGENCY, "GB", None),
        Persona("north", "North", Role.AUDITOR, "GB", AgencyKind.NGO),
        Persona("north", "North", Role.KEY_HOLDER, "GB", None, "https://h.example.org/path"),
    ],
)
def test_an_identity_no_enrolment_may_bear_leaves_no_home_behind(tmp_path: Path, persona: Persona) -> None:
    with pytest.raises(BadInput):
        _home(tmp_path / "home", persona)
    assert not (tmp_path / "home").exists()


def test_a_pinned_space_comes_back_and_the_newest_roster_counts(tmp_path: Path) -> None:
    home = _home(tmp_path)
    key = home.identity.signing_key
    home.pin_space(_sign(_space(home), home), key)
    home.pin_space(_sign(_space(home, roster_version=2, name="North Sea, wider"), home), key)
    assert home.space().payload.name == "North Sea, wider"
    assert home.space(bytes(16), roster_version=1).payload.name == "North Sea"
    assert home.membership(home.space().payload).agency_id == "north-helpline"


def test_a_space_signed_by_another_key_than_the_founders_is_not_pinned(tmp_path: Path) -> None:
    home = _home(tmp_path)
    broker_key = Ed25519PrivateKey.generate()
    forged = documents.sign(_space(home), broker_key).document
    with pytest.raises(VerificationFailed):
        home.pin_space(forged, home.identity.signing_key)
    with pytest.raises(VerificationFailed, match="not signed by one of its members"):
        home.pin_space(forged, documents.public_bytes(broker_key))
    assert home.space_ids() == ()


def test_a_roster_version_never_has_two_texts(tmp_path: Path) -> None:
    home = _home(tmp_path)
    key = home.identity.signing_key
    home.pin_space(_sign(_space(home), home), key)
    with pytest.raises(Conflict):
        home.pin_space(_sign(_space(home, name="Another"), home), key)
    assert home.space().payload.name == "North Sea"


def test_a_roster_never_does_away_with_all_witnesses(tmp_path: Path) -> None:
    home = _home(tmp_path)
    key = home.identity.signing_key
    witness = verifier_key("w1.example.org", bytes([9]) * 32, ED25519_COSIGNATURE)
    fields = _space(home).model_dump() | {"trial": False, "witnesses": (witness,), "witness_quorum": 1}
    witnessed = Space.model_validate(fields)
    home.pin_space(_sign(witnessed, home), key)
    with pytest.raises(Conflict, match="makes a trial"):
        home.pin_space(_sign(_space(home, roster_version=2), home), key)
    assert not home.space().payload.trial


def test_a_space_never_changes_its_founder(tmp_path: Path) -> None:
    home = _home(tmp_path / "one")
    other = _home(tmp_path / "two", Persona("south", "South", Role.AGENCY, "GB", AgencyKind.NGO))
    home.pin_space(_sign(_space(home, other), home), home.identity.signing_key)
    takeover = _sign(_space(home, other, roster_version=2), other)
    with pytest.raises(Conflict, match="another founder"):
        home.pin_space(takeover, other.identity.signing_key)


def test_a_namesake_with_another_key_is_no_member(tmp_path: Path) -> None:
    home, namesake = _home(tmp_path / "one"), _home(tmp_path / "two")
    with pytest.raises(NotPermitted):
        namesake.membership(_space(home))


def test_a_salt_is_kept_only_if_it_is_the_one_the_space_names(tmp_path: Path) -> None:
    home = _home(tmp_path)
    space = _space(home)
    with pytest.raises(NotFound):
        home.salt(space)
    with pytest.raises(VerificationFailed):
        home.keep_salt(space, bytes(32))
    home.keep_salt(space, SALT)
    assert home.salt(space) == SALT


def test_a_home_in_no_space_or_in_several_says_what_to_do(tmp_path: Path) -> None:
    home = _home(tmp_path)
    with pytest.raises(NotFound, match="space join"):
        home.space()
    for number in (1, 2):
        space = _space(home).model_copy(update={"space_id": bytes([number]) * 16})
        home.pin_space(_sign(space, home), home.identity.signing_key)
    with pytest.raises(BadInput, match="--space-id"):
        home.space()
    assert home.space(b"\x02" * 16).payload.space_id == b"\x02" * 16
