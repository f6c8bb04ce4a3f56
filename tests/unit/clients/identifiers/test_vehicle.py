"""Licence plates: two cars stay two, one car is one however its plate is written, and no country is guessed."""

import string

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers import Rejected, canonicalise
from clients.identifiers.plate_rules import DISTRICT_FIRST, DROPPED, GROUPS_COUNT, OWN_LETTERS, SUBDIVISIONS

SEPARATORS = st.sampled_from([" ", "-", ".", ":", "·", " - ", "\u2011", "\u00a0", "  "])
LETTERS = st.sampled_from("ABCEHKMOPTXÄÖÜ")
DIGITS = st.integers(1, 9999).map(str)


def test_german_plates_that_differ_in_the_separator_alone_are_two_cars() -> None:
    assert canonicalise("licence_plate", "B-MW 1234", "DE").value == "DE:B-MW1234"
    assert canonicalise("licence_plate", "BM-W 1234", "DE").value == "DE:BM-W1234"


@given(
    st.text(LETTERS, min_size=1, max_size=3),
    st.text(st.sampled_from(string.ascii_uppercase), min_size=1, max_size=2),
    DIGITS,
    st.sampled_from(["", "E", "H"]),
    SEPARATORS,
    st.sampled_from(["", " ", "-", "."]),
)
def test_a_german_plate_has_one_form_however_it_is_written(
    district: str, letters: str, number: str, suffix: str, first: str, second: str
) -> None:
    form = f"DE:{district}-{letters}{number}{suffix}"
    plate = f"{district}{first}{letters}{second}{number}{second}{suffix}"
    qualified = f"DE: {district}-{letters} {number}{suffix}"
    for written, hint in (
        (plate, "DE"),
        (plate.lower(), "de"),
        (f" {plate} ", "DE"),
        (qualified, None),
        (form, "DE"),
    ):
        # "AB:C 1" begins as a plate of country AB would, and is refused where such a country exists.
        if ":" in plate and written != qualified and district in phonenumbers.SUPPORTED_REGIONS:
            continue
        assert canonicalise("licence_plate", written, hint).text == f"licence_plate/1|{form}"


@given(
    st.text(st.sampled_from(string.ascii_uppercase), min_size=2, max_size=3),
    st.text(st.sampled_from(string.ascii_uppercase), max_size=3),
    st.text(st.sampled_from(string.digits), min_size=3, max_size=4),
    st.sampled_from(sorted(DROPPED)),
    st.sampled_from(["", " ", "-", ".", "\u2011", "\u00a0", " / "]),
)
def test_where_separators_do_not_count_they_are_dropped(
    before: str, after: str, number: str, country: str, separator: str
) -> None:
    plate = f"{before}{number}{after}"
    spaced = separator.join(part for part in (before, number, after) if part)
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in plate)
    for written in (spaced, spaced.lower(), wide, f"{country}:{spaced}"):
        form = canonicalise("licence_plate", written, country)
        assert (form.value, form.flags) == (f"{country}:{plate}", ())


@pytest.mark.parametrize(
    ("raw", "hint", "expected"),
    [
        ("Y-123 456", "DE", "DE:Y-123456"),
        ("BYL-4", "DE", "DE:BYL-4"),
        ("0-17-123", "DE", "DE:0-17-123"),
        ("LÖ-AB 12", "DE", "DE:LÖ-AB12"),
        ("LO\u0308 AB 12", "DE", "DE:LÖ-AB12"),
        ("W 12345 A", "AT", "AT:W-12345A"),
        ("W12345A", "AT", "AT:W-12345A"),
        ("W-LAB 1", "AT", "AT:W-LAB1"),
        ("WL-AB 1", "AT", "AT:WL-AB1"),
        ("ab12 cde", "uk", "GB:AB12CDE"),
        ("7 abc 123", "US-CA", "US-CA:7ABC123"),
        ("us-ca: 7ABC123", None, "US-CA:7ABC123"),
        ("A 12345", "AE-DU", "AE-DU:A-12345"),
        ("a12345", "AE-DU", "AE-DU:A-12345"),
        ("5/12345", "AE-AZ", "AE-AZ:5-12345"),
        ("51 2345", "AE-AZ", "AE-AZ:51-2345"),
        ("34 abı 123", "TR", "TR:34ABI123"),
        ("11111", "LU", "LU:11111"),
    ],
)
def test_what_counts_is_kept_by_country(raw: str, hint: str | None, expected: str) -> None:
    form = canonicalise("licence_plate", raw, hint)
    assert (form.value, form.flags) == (expected, ())
    assert canonicalise("licence_plate", form.value) == form


def test_a_country_without_rules_is_flagged_and_keeps_its_own_script() -> None:
    form = canonicalise("licence_plate", "品川 500 さ 12-34", "JP")
    assert (form.value, form.flags) == ("JP:品川500さ1234", ("plate-rules-unknown",))
    assert canonicalise("licence_plate", "\u0410B 123", "KG").flags == ("plate-rules-unknown", "look-alike")


def test_a_countrys_own_letters_are_read_and_a_mix_of_alphabets_is_flagged() -> None:
    russian, latin, mixed = "\u0410 123 \u0412\u0421 77", "A 123 BC 77", "A 123 \u0412C 77"
    forms = [canonicalise("licence_plate", raw, "RU") for raw in (russian, latin, mixed)]
    assert {form.value for form in forms} == {"RU:A123BC77"}
    assert [form.flags for form in forms] == [(), (), ("look-alike",)]
    assert canonicalise("licence_plate", "\u0396\u039a\u03a7 1234", "GR").value == "GR:ZKX1234"


def test_a_look_alike_is_never_folded_where_the_country_has_no_such_letter() -> None:
    for country in sorted(DROPPED - set(OWN_LETTERS)):
        with pytest.raises(Rejected, match="letter of another alphabet"):
            canonicalise("licence_plate", "\u0410B 123", country)
    with pytest.raises(Rejected, match="letter of another alphabet"):
        canonicalise("licence_plate", "\u0412-MW 1234", "DE")


def test_o_and_zero_stay_two_signs() -> None:
    assert canonicalise("licence_plate", "AO12 CDE", "GB") != canonicalise("licence_plate", "A012 CDE", "GB")


@given(
    st.text(max_size=20), st.sampled_from([None, "DE", "AT", "GB", "RU", "JP", "US-CA", "AE-AZ", "US", "XX"])
)
def test_no_text_does_anything_but_a_form_or_a_refusal_without_the_value(raw: str, hint: str | None) -> None:
    try:
        value, reason = canonicalise("licence_plate", raw, hint).value, ""
    except Rejected as refusal:
        value, reason = "", refusal.detail
    assert reason or canonicalise("licence_plate", value).value == value
    # Shorter texts can occur in an English sentence by chance.
    assert len(raw.strip()) < 6 or raw not in reason


@pytest.mark.parametrize(
    ("raw", "hint", "words"),
    [
        ("B-MW 1234", None, "country of the licence plate is not given"),
        ("B-MW 1234", "D", "two-letter code"),
        ("B-MW 1234", "Germany", "two-letter code"),
        ("B-MW 1234", "DE-BE", "belong to no state"),
        ("BMW1234", "DE", "two cars"),
        ("B-M W 1234", "DE", "two cars"),
        ("BYL4", "DE", "two cars"),
        ("WLAB1", "AT", "two cars"),
        ("B-MW 1234 04/10", "DE", "seals and months"),
        ("512345", "AE-AZ", "a space between"),
        ("7ABC123", "US", "Name the state"),
        ("7ABC123", "US-XX", "Name the state"),
        ("AT:W-123 A", "DE", "differ"),
        ("NO PLATE", "GB", "match everyone"),
        ("k-eine", "FR", "match everyone"),
        ("0000000", "FR", "match everyone"),
        ("A", "GB", "2 to 12"),
        ("", "GB", "empty"),
        ("DE:", None, "2 to 12"),
        ("AB12CDE AB12CDF", "GB", "its own row"),
        ("Straße 12", "FR", "sign that plates of its country do not have"),
        ("AB12 CD€", "GB", "sign that plates of its country do not have"),
    ],
)
def test_what_is_no_ones_plate_is_refused_in_words(raw: str, hint: str | None, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("licence_plate", raw, hint)
    assert words in refusal.value.detail
    assert len(raw) < 2 or raw not in refusal.value.detail


def test_the_tables_of_countries_agree_with_one_another() -> None:
    tables = [DROPPED, set(DISTRICT_FIRST), set(SUBDIVISIONS)]
    assert sum(map(len, tables)) == len(set().union(*tables))
    assert set(SUBDIVISIONS) >= GROUPS_COUNT
    assert set(OWN_LETTERS) <= DROPPED
    assert set().union(*tables) <= set(phonenumbers.SUPPORTED_REGIONS)
