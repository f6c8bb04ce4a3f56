"""A saved mapping is used for the columns it was saved for, and for no others."""

import os
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput, NotFound
from broker.protocol.messages.vocabulary import AgencyKind, Role
from clients.home import Home, Persona
from clients.saved_mappings import MappedColumn, SavedMapping, save_mapping, saved_mapping, saved_mappings

SAVED = SavedMapping(
    columns=(
        MappedColumn(name="Handy", holds="phone"),
        MappedColumn(name="Land", holds="region"),
        MappedColumn(name="Notiz", holds="ignore"),
    ),
    encoding="windows-1252",
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    persona = Persona("north-helpline", "North Helpline", Role.AGENCY, "GB", AgencyKind.HELPLINE)
    return Home.create(tmp_path / "home", persona, now=1_767_225_600, random_bytes=os.urandom)


def test_a_mapping_comes_back_by_its_name(home: Home) -> None:
    save_mapping(home, "nightly", SAVED)
    assert saved_mapping(home, "nightly") == SAVED
    assert list(saved_mappings(home)) == [("nightly", SAVED)]


@pytest.mark.parametrize("name", ["", "Nightly", "../x", "a/b", "a" * 41, "-x"])
def test_a_name_that_cannot_be_a_files_is_refused(home: Home, name: str) -> None:
    with pytest.raises(BadInput, match="lower-case"):
        save_mapping(home, name, SAVED)


def test_a_mapping_that_was_not_saved_says_how_to_save_one(home: Home) -> None:
    with pytest.raises(NotFound, match="deposit map"):
        saved_mapping(home, "nightly")


def test_it_fits_the_same_columns_only() -> None:
    assert SAVED.fits(("Handy", "Land", "Notiz"))
    assert not SAVED.fits(("Handy", "Land"))
    assert not SAVED.fits(("Land", "Handy", "Notiz"))


def test_columns_may_come_in_another_order_and_an_ignored_one_may_lack() -> None:
    mapping = SAVED.mapping(("Land", "Handy"))
    assert (mapping.identifiers, mapping.hint_column) == ((("Handy", "phone"),), "Land")


def test_a_column_that_nobody_spoke_of_is_refused_and_not_sealed_as_an_attribute() -> None:
    with pytest.raises(BadInput, match="column 4") as refusal:
        SAVED.mapping(("Handy", "Land", "Notiz", "Diagnose"))
    assert "Diagnose" not in refusal.value.detail


def test_a_file_without_a_column_that_is_needed_is_refused() -> None:
    with pytest.raises(BadInput, match="lacks a column"):
        SAVED.mapping(("Handy", "Notiz"))


def test_a_word_that_means_nothing_is_refused_when_it_is_used() -> None:
    edited = SavedMapping(columns=(MappedColumn(name="Handy", holds="shoe"),))
    with pytest.raises(BadInput, match="unknown"):
        edited.mapping(("Handy",))
