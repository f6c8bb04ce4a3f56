"""Columns by name: guessed from what people write, or given."""

import pytest

from broker.protocol.errors import BadInput
from clients.readers.mapping import ColumnMapping, guess_mapping, guess_type, settle


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Phone", "phone"),
        ("phone_2", "phone"),
        ("Phone No.", "phone"),
        ("Mobile Number", "phone"),
        ("TÉLÉPHONE", "phone"),
        ("Telefon-Nr.", "phone"),
        ("E-Mail", "email"),
        ("e mail address", "email"),
        ("mail", "email"),
        ("email_mailbox", "email_mailbox"),
        ("name", None),
        ("", None),
        ("12", None),
    ],
)
def test_a_name_means_what_people_mean_by_it(name: str, kind: str | None) -> None:
    assert guess_type(name) == kind


def test_a_type_column_without_a_value_column_is_an_ordinary_one() -> None:
    assert guess_mapping(["phone", "type"]).type_column is None
    columns = settle(["phone", "type"], None)
    assert columns.attributes == ((1, "type"),)


def test_empty_and_repeated_names_become_attributes_of_different_names() -> None:
    columns = settle(["phone", "a", "", "a", "a (4)", "Ref", "reference 2"], None)
    names = [name for _, name in columns.attributes]
    assert names == ["a", "column 3", "a (4)", "a (4) (5)", "reference", "reference 2"]


@pytest.mark.parametrize(
    "mapping",
    [
        ColumnMapping(identifiers=(("fax", "phone"),)),
        ColumnMapping(identifiers=(("phone", "phone"),), hint_column="land"),
        ColumnMapping(identifiers=(("phone", "phone"),), ignored=("land",)),
    ],
)
def test_a_mapping_that_does_not_fit_the_table_is_refused(mapping: ColumnMapping) -> None:
    with pytest.raises(BadInput, match="does not have"):
        settle(["phone"], mapping)


def test_a_mapping_that_cannot_fit_any_table_is_refused_when_it_is_made() -> None:
    with pytest.raises(BadInput, match="unknown type"):
        ColumnMapping(identifiers=(("phone", "shoe_size"),))
    with pytest.raises(BadInput, match="column of values"):
        ColumnMapping(type_column="type")
