"""What columns hold, in words that a person corrects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol.errors import BadInput
from clients.readers.columns.roles import corrected, mapping_of, roles_of

NAMES = ("Handy", "E-Mail", "Land", "Aktenzeichen", "Notiz")


def test_names_suggest_what_columns_hold() -> None:
    assert roles_of(NAMES, None) == ("phone", "email", "region", "reference", "attribute")
    assert roles_of(("type", "value", "note"), None) == ("type", "value", "attribute")
    assert roles_of(("a", "b"), None) == ("attribute", "attribute")


def test_what_a_row_says_of_its_identifiers_has_a_word_of_its_own() -> None:
    names = ("handle", "platform", "pdq", "quality", "phone", "country")
    roles = ("handle", "platform", "pdq", "quality", "phone", "region")
    assert roles_of(names, None) == roles
    assert roles_of(names, mapping_of(names, roles)) == roles
    assert roles_of(("type", "value", "hint"), None) == ("type", "value", "hint")
    both = ("type", "value", "hint")
    assert roles_of(both, mapping_of(both, both)) == both


@pytest.mark.parametrize(
    ("correction", "role", "at"),
    [
        ("Notiz=phone", "phone", 4),
        ("notiz = Telefon", "phone", 4),
        ("5=ignore", "ignore", 4),
        ("handy=attribute", "attribute", 0),
        ("Notiz=handle:telegram", "handle:telegram", 4),
        ("Notiz=phone:GB", "phone:gb", 4),
        ("e mail=email_mailbox", "email_mailbox", 1),
    ],
)
def test_a_person_corrects_a_column_by_its_name_or_number(correction: str, role: str, at: int) -> None:
    roles = corrected(NAMES, roles_of(NAMES, None), [correction])
    assert roles[at] == role
    assert roles_of(NAMES, mapping_of(NAMES, roles)) == roles


@pytest.mark.parametrize(
    ("correction", "words"),
    [
        ("Fax=phone", "does not have"),
        ("9=phone", "does not have"),
        ("Notiz=shoe", "It can hold"),
        ("Notiz", "It can hold"),
        ("=phone", "It can hold"),
    ],
)
def test_a_correction_that_fits_nothing_says_what_would(correction: str, words: str) -> None:
    with pytest.raises(BadInput, match=words) as refusal:
        corrected(NAMES, roles_of(NAMES, None), [correction])
    assert "shoe" not in refusal.value.detail


def test_two_columns_of_one_name_cannot_hold_different_things() -> None:
    names = ("phone", "note", "note")
    assert corrected(names, ("phone", "attribute", "attribute"), ["note=email"]) == (
        "phone",
        "email",
        "email",
    )
    roles = corrected(("phone", "x", "x"), ("phone", "attribute", "attribute"), ["x=ignore"])
    assert roles == ("phone", "ignore", "ignore")
    with pytest.raises(BadInput, match="Two columns"):
        mapping_of(names, ("phone", "email", "attribute"))
    with pytest.raises(BadInput, match="Two columns"):
        mapping_of(("phone", "a", "b"), ("phone", "region", "region"))


@given(st.lists(st.sampled_from(["phone", "email", "attribute", "ignore"]), min_size=1, max_size=12))
def test_any_roles_of_columns_with_names_of_their_own_come_back(roles: list[str]) -> None:
    names = [f"column {chr(97 + at)}" for at in range(len(roles))]
    if not set(roles) <= {"attribute", "ignore"}:
        assert roles_of(names, mapping_of(names, roles)) == tuple(roles)
