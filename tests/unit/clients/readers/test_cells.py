"""What programs do to identifiers is undone where nothing was lost, and refused in words where something was."""

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers import Rejected
from clients.readers.cells import (
    Cell,
    NoIdentifier,
    identifier_text,
    number_cell,
    plain,
    refusal_of,
    value_cell,
)


@pytest.mark.parametrize(
    ("raw", "digits"),
    [
        ("447700900123", "447700900123"),
        ("447700900123.0", "447700900123"),
        ("4.47700900123E11", "447700900123"),
        ("4.47700900123E+11", "447700900123"),
        ("442070000000", "442070000000"),
        ("123456789012345", "123456789012345"),
        ("-5", "-5"),
        ("0", "0"),
    ],
)
def test_a_whole_number_is_its_digits(raw: str, digits: str) -> None:
    assert number_cell(raw) == digits


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("4.477E+11", "power of ten"),
        ("4.477009E11", "power of ten"),
        ("1.2345678901234567E+18", "15 digits"),
        ("1234567890123456", "15 digits"),
        ("1E+999999999", "15 digits"),
        ("12.5", "fraction"),
        ("NaN", "fraction"),
        ("Infinity", "fraction"),
        ("12abc", "damaged"),
    ],
)
def test_a_number_that_lost_digits_or_never_was_an_identifier_says_so(raw: str, words: str) -> None:
    with pytest.raises(Rejected, match=words) as refusal:
        identifier_text("phone", number_cell(raw))
    assert raw not in refusal.value.detail


@pytest.mark.parametrize("text", ["4.477E+11", "4,477E+11", "4.47700900123e11", "+4.477E+11"])
def test_text_with_a_power_of_ten_is_refused_where_digits_are_wanted(text: str) -> None:
    with pytest.raises(Rejected, match="power of ten"):
        identifier_text("phone", text)
    assert identifier_text("email", text) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("4.9E+14", "power of ten"),
        ("4,9E+14", "power of ten"),
        ("2026-01-02", "looks like a date"),
        ("2026-01-02 00:00:00", "looks like a date"),
        ("02.01.2026", "looks like a date"),
        ("1/2/2026", "looks like a date"),
        ("1-Feb", "looks like a date"),
        ("Jan-04", "looks like a date"),
        ("12. Mai 1987", "looks like a date"),
        ("call me", "of the type"),
        ("07700 900", "of the type"),
        ("1987-2026-01-02", "of the type"),
    ],
)
def test_what_a_program_made_of_a_value_is_said_before_what_its_type_says(text: str, words: str) -> None:
    assert words in refusal_of(text, "The reason of the type.")
    assert text not in refusal_of(text, "")


@pytest.mark.parametrize("text", ['="07700 900123"', '="+447700900123"', '=" 07700900123 "'])
def test_a_formula_that_is_nothing_but_a_text_is_that_text(text: str) -> None:
    assert identifier_text("phone", text) == text[2:-1].strip()


@pytest.mark.parametrize(
    "text", ["=1+1", "=A1", '=HYPERLINK("x")', '="0770"&"0900123"', "'=1+1", "=", "=+447700900123"]
)
def test_a_formula_where_an_identifier_should_be_is_refused_with_what_to_do(text: str) -> None:
    for kind in ("phone", "email", "iban"):
        with pytest.raises(Rejected, match=r"formula and not its result.*paste it as values"):
            identifier_text(kind, text)
    assert plain(text).startswith("=")


def test_what_a_data_frame_made_of_a_number_is_undone() -> None:
    assert identifier_text("phone", "447700900123.0") == "447700900123"
    assert identifier_text("phone", "+447700900123.0") == "+447700900123"
    assert identifier_text("phone", "030.123456.0") == "030.123456.0"
    assert identifier_text("phone", "020.0") == "020.0"


def test_an_apostrophe_that_keeps_a_cell_from_being_a_formula_is_no_part_of_it() -> None:
    assert identifier_text("phone", "'+447700900123") == "+447700900123"
    assert identifier_text("phone", "'07700900123") == "07700900123"
    assert identifier_text("email", "'o'neill@example.org") == "'o'neill@example.org"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (datetime.datetime.fromisoformat("2026-01-02"), "2026-01-02"),
        (datetime.datetime.fromisoformat("2026-01-02T03:04"), "2026-01-02T03:04:00"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.timedelta(hours=3), "3:00:00"),
        (2.5, "2.5"),
        (Decimal("2.50"), "2.50"),
        (b"\x00\x01", ""),
        (["+447700900123"], ""),
    ],
)
def test_a_value_of_another_kind_is_kept_as_an_attribute_and_refused_as_an_identifier(
    value: object, text: str
) -> None:
    cell = value_cell(value)
    assert plain(cell) == text
    assert isinstance(cell, NoIdentifier)
    with pytest.raises(Rejected):
        identifier_text("phone", cell)


def test_a_cell_says_nothing_of_its_value_in_a_traceback() -> None:
    assert "7700900" not in repr(NoIdentifier("447700900123", "A reason."))


@given(st.integers(min_value=0, max_value=10**15 - 1))
def test_no_digit_of_a_whole_number_changes_whatever_it_is_stored_as(number: int) -> None:
    stored: list[Cell] = [number_cell(str(number)), number_cell(f"{number}.0")]
    assert stored == [str(number)] * 2
    as_float = value_cell(float(number))
    if isinstance(as_float, NoIdentifier):
        # One that a program may have rounded, which is the price of never taking another's number.
        assert number >= 10**9
        assert number % 1000 == 0
        assert "power of ten" in as_float.reason
    else:
        assert as_float == str(number)


@pytest.mark.parametrize("rounded", [4.477e11, 4.47701e11, 1e9, 8.61234e14])
def test_a_float_that_has_no_more_digits_than_are_shown_of_one_is_refused_whatever_file_it_is_in(
    rounded: float,
) -> None:
    whole = f"{rounded:.0f}"
    for cell in (
        value_cell(rounded),
        number_cell(whole, "4.5E+11"),
        f"{whole}.0",
        f"+{whole}.0",
        f"{rounded:.5E}",
    ):
        with pytest.raises(Rejected, match=r"power of ten.*format the column as text") as refusal:
            identifier_text("phone", cell)
        assert whole not in refusal.value.detail
    assert number_cell(whole) == whole
    assert plain(value_cell(rounded)) == whole


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("handle", "100001234567890.0", "made a number"),
        ("handle", "1.00001E+14", "power of ten"),
        ("handle", "1.00001e14", "power of ten"),
        ("handle", "1,00001E+14", "power of ten"),
        ("licence_plate", "1.2E+35", "power of ten"),
        ("licence_plate", "1E+10", "power of ten"),
    ],
)
def test_what_a_program_made_a_number_is_no_account_name_and_no_plate(
    kind: str, text: str, words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        identifier_text(kind, text)


@pytest.mark.parametrize("text", ["12E34", "1E10", "john.0", "1.0"])
def test_a_plate_or_name_with_an_e_or_a_full_stop_is_left_as_it_is(text: str) -> None:
    assert identifier_text("licence_plate", text) == identifier_text("handle", text) == text
