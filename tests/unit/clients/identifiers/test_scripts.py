"""Look-alikes by writing system."""

import pytest

from clients.identifiers.scripts import look_alike_flags


@pytest.mark.parametrize(
    "name", ["p\u0430ypal", "\u0430\u0441\u0435", "\uff41lice", "\U0001d41alice", "\u03bf\u03bd", "αlice"]
)
def test_mixed_borrowed_and_styled_letters_are_flagged(name: str) -> None:
    assert look_alike_flags("plain", name) == ("look-alike",)


@pytest.mark.parametrize(
    "name", ["alice", "Straße", "иван", "γιώργος", "山田taro", "ヤマダ花子", "김tim", "99", "", "a.b-c_1"]
)
def test_names_as_their_script_writes_them_are_not(name: str) -> None:
    assert look_alike_flags(name) == ()
