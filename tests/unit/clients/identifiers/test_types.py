"""The front door: registry, refusals that all types share, and forms that do not show themselves."""

import pytest

from broker.protocol.errors import BadInput
from clients.identifiers import Canonical, Rejected, canonicalise, registered_types


def test_the_text_that_is_hashed_has_type_version_and_value() -> None:
    assert Canonical("phone", 1, "+447700900123", ("not-valid",)).text == "phone/1|+447700900123"


def test_an_identifier_does_not_show_in_a_repr() -> None:
    assert "7700900123" not in repr(canonicalise("phone", "+44 7700 900123"))


def test_an_unknown_type_is_refused_with_the_known_ones_and_not_with_itself() -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("shoe_size", "42")
    assert all(name in refusal.value.detail for name in registered_types())
    assert "shoe_size" not in refusal.value.detail


@pytest.mark.parametrize("type_name", registered_types())
@pytest.mark.parametrize("raw", ["", " \t", "+44 7700\0 900123", "\ud800a@example.org", "5" * 5000])
def test_what_is_no_text_or_too_long_is_refused_for_every_type(type_name: str, raw: str) -> None:
    with pytest.raises(Rejected):
        canonicalise(type_name, raw)


def test_a_refusal_is_bad_input() -> None:
    assert issubclass(Rejected, BadInput)
    assert Rejected.problem == "bad-input"
