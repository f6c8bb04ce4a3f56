"""Marks of what may not go in again: what they tell, when they end, and what lifts them."""

import os
from pathlib import Path

import pytest

from broker.protocol.messages.vocabulary import AgencyKind, Role
from clients.deposit_changes.kept_out import UNUSED_SECONDS, KeptOut
from clients.home import Home, Persona

NOW = 1_790_000_000
DAY_SECONDS = 86_400
SPACE, SALT = bytes(16), bytes(32)
HASHES = [bytes([number]) * 64 for number in range(3)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    persona = Persona("helpline", "Helpline", Role.AGENCY, "IE", AgencyKind.HELPLINE)
    return Home.create(tmp_path / "home", persona, now=NOW, random_bytes=os.urandom)


def _list(home: Home, now: int = NOW) -> KeptOut:
    return KeptOut(home, now, os.urandom)


def _mark(home: Home, now: int = NOW, until_at: int | None = None) -> None:
    _list(home, now).keep_out(
        "consent_withdrawn", space_id=SPACE, salt_id=SALT, hashes=HASHES[:2], until_at=until_at
    )


def _kept_out(home: Home, now: int = NOW) -> list[bytes]:
    marks = _list(home, now).marks()
    return [h for h in HASHES if any((_list(home).mark_of_hash(h), reason) in marks for reason in _REASONS)]


_REASONS = ("consent_withdrawn", "contested")


def test_a_whole_hash_and_its_beginning_are_one_mark_and_another_hash_is_none(home: Home) -> None:
    _mark(home)
    assert _kept_out(home) == HASHES[:2]
    assert _list(home).mark_of_hash(HASHES[0][:16]) == _list(home).mark_of_hash(HASHES[0])
    assert _list(home).mark_of_reference(" H-17 ") == _list(home).mark_of_reference("H-17")


def test_the_list_tells_nothing_without_this_homes_own_key(home: Home, tmp_path: Path) -> None:
    _mark(home)
    _list(home).keep_out("contested", references=["H-17"])
    persona = Persona("other", "Other", Role.AGENCY, "IE", AgencyKind.HELPLINE)
    other = Home.create(tmp_path / "other", persona, now=NOW, random_bytes=os.urandom)
    assert _list(other).mark_of_hash(HASHES[0]) != _list(home).mark_of_hash(HASHES[0])
    on_disk = b"".join(path.read_bytes() for path in home.vault.directory.rglob("*") if path.is_file())
    assert HASHES[0][:16] not in on_disk
    assert _list(home).mark_of_hash(HASHES[0]).hex().encode() not in on_disk
    assert b"H-17" not in on_disk


def test_a_mark_that_nothing_needs_ends_after_two_years_and_is_then_erased(home: Home) -> None:
    _mark(home)
    assert _kept_out(home, NOW + UNUSED_SECONDS - 1) == HASHES[:2]
    assert _kept_out(home, NOW + UNUSED_SECONDS) == []
    before = home.vault.read("kept-out/list")
    _list(home, NOW + UNUSED_SECONDS - 1).forget_past()
    assert home.vault.read("kept-out/list") == before
    _list(home, NOW + UNUSED_SECONDS).forget_past()
    assert len(home.vault.read("kept-out/list")) < len(before) / 2


def test_a_mark_that_kept_a_row_out_holds_two_years_from_then(home: Home) -> None:
    _mark(home)
    later = NOW + UNUSED_SECONDS - 1
    used = [(_list(home).mark_of_hash(HASHES[0]), _REASONS[0])]
    _list(home, later).renew(used)  # type: ignore[arg-type]  # a reason
    assert _kept_out(home, later + UNUSED_SECONDS - 1) == HASHES[:1]


def test_a_mark_with_an_end_of_its_own_ends_there_however_often_it_is_needed(home: Home) -> None:
    _mark(home, until_at=NOW + DAY_SECONDS)
    _list(home).renew([(_list(home).mark_of_hash(HASHES[0]), "consent_withdrawn")])
    assert _kept_out(home, NOW + DAY_SECONDS - 1) == HASHES[:2]
    assert _kept_out(home, NOW + DAY_SECONDS) == []


def test_what_is_contested_and_withdrawn_too_stays_out_when_the_contest_is_decided(home: Home) -> None:
    _mark(home)
    _list(home).keep_out("contested", space_id=SPACE, salt_id=SALT, hashes=HASHES, references=["H-17"])
    marks = [_list(home).mark_of_hash(each) for each in HASHES]
    _list(home).end("contested", marks, ["H-17"], None)
    assert _kept_out(home) == HASHES[:2]
    assert len(_list(home).marks()) == 2
    _list(home).end("consent_withdrawn", marks, [], None)
    assert _kept_out(home) == []


def test_what_a_person_let_in_holds_for_what_was_marked_before_and_goes_with_the_last_of_it(
    home: Home,
) -> None:
    _mark(home)
    mark = _list(home).mark_of_reference("H-17")
    _list(home, NOW + 60).let_in("H-17")
    _list(home, NOW + 120).let_in("H-18")
    assert _list(home).let_in_at() == {mark: NOW + 60, _list(home).mark_of_reference("H-18"): NOW + 120}
    _list(home, NOW + 180).let_in("H-17")
    assert _list(home).let_in_at()[mark] == NOW + 180
    assert _kept_out(home) == HASHES[:2], "the marks stay: the identifiers may be others' too"
    assert b"H-17" not in b"".join(
        each.read_bytes() for each in home.vault.directory.rglob("*") if each.is_file()
    )
    _mark(home, NOW + 180)
    assert _list(home).let_in_at() == {}, "withdrawn anew, nothing is let in any more"


def test_what_was_let_in_is_erased_with_marks_whose_end_came(home: Home) -> None:
    _mark(home)
    _list(home, NOW + 60).let_in("H-17")
    _list(home, NOW + UNUSED_SECONDS).forget_past()
    assert _list(home).let_in_at() == {}
