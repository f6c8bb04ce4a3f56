"""Phone numbers: one number has one form however it is written, and nobody's number is guessed."""

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers import Rejected, canonicalise
from clients.identifiers.phone import known_region

DRAMA_NUMBERS = st.integers(0, 999).map(lambda number: f"7700900{number:03d}")
SEPARATORS = st.sampled_from(["", " ", "-", ".", " - ", "\u00a0", "\u2009", "\u2011", "·", "\u200e"])
DIGIT_ZEROS = st.sampled_from([ord("0"), 0xFF10, 0x0660, 0x06F0, 0x0966, 0x1D7CE])


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_regions_example_number_has_one_form_in_every_format(region: str) -> None:
    number = phonenumbers.example_number(region)
    assert number is not None
    forms = {
        canonicalise("phone", phonenumbers.format_number(number, written), region)
        for written in (
            phonenumbers.PhoneNumberFormat.E164,
            phonenumbers.PhoneNumberFormat.INTERNATIONAL,
            phonenumbers.PhoneNumberFormat.NATIONAL,
            phonenumbers.PhoneNumberFormat.RFC3966,
        )
    }
    assert len(forms) == 1
    form = forms.pop()
    assert form.flags == ()
    assert canonicalise("phone", form.value) == form


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_regions_example_number_has_one_form_in_every_link_and_in_other_digits(region: str) -> None:
    number = phonenumbers.example_number(region)
    assert number is not None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    links = (
        f"https://wa.me/{e164[1:]}",
        f"wa.me/{e164}?text=hi",
        f"https://api.whatsapp.com/send/?phone={e164[1:]}&text&type=phone_number&app_absent=0",
        f"whatsapp://send?phone={e164[1:]}",
        f"viber://chat?number=%2B{e164[1:]}",
        f"viber://add?number={e164[1:]}",
        f"tg://resolve?phone={e164[1:]}",
        f"https://t.me/{e164}",
        f"https://signal.me/#p/{e164}",
        f"tel:{e164}",
        f"sms:{e164}?body=hi",
    )
    digits = (
        written.translate({ord("0") + digit: zero + digit for digit in range(10)})
        for zero in (0x0660, 0x06F0, 0xFF10)
        for written in (national, e164)
    )
    assert {canonicalise("phone", written, region).value for written in (*links, *digits)} == {e164}


@given(
    DRAMA_NUMBERS, st.lists(SEPARATORS, min_size=12, max_size=12), DIGIT_ZEROS, st.booleans(), st.booleans()
)
def test_spacing_punctuation_and_width_do_not_count(
    national: str, separators: list[str], zero: int, bracketed: bool, international: bool
) -> None:
    spaced = "".join(digit + separator for digit, separator in zip(national, separators, strict=False))
    prefix = ("+44 (0)" if bracketed else "+44") if international else ("(0)" if bracketed else "0")
    written = "".join(
        chr(zero + int(sign)) if sign.isascii() and sign.isdigit() else sign for sign in prefix + spaced
    )
    assert canonicalise("phone", written, "GB").text == f"phone/1|+44{national}"


@given(
    st.text(alphabet="0123456789+-() x#,;/.", max_size=24),
    st.sampled_from([None, "GB", "DE", "IT", "AR", "US"]),
)
def test_whatever_is_accepted_is_its_own_form(raw: str, region: str | None) -> None:
    try:
        form = canonicalise("phone", raw, region)
    except Rejected:
        return
    assert canonicalise("phone", form.value) == form


@given(st.text(max_size=40), st.text(max_size=4))
def test_no_text_does_anything_but_a_form_or_a_refusal_without_the_value(raw: str, hint: str) -> None:
    try:
        value, reason = canonicalise("phone", raw, hint).value, ""
    except Rejected as refusal:
        value, reason = "", refusal.detail
    assert re.fullmatch(r"\+[0-9]{7,15}", value) or reason
    # Shorter texts can occur in an English sentence by chance.
    assert len(raw.strip()) < 6 or raw not in reason


@pytest.mark.parametrize(
    "raw",
    [
        "https://wa.me/447700900123",
        "wa.me/+447700900123?text=hello%20you",
        "hxxps://wa[.]me/447700900123",
        "https://api.whatsapp.com/send?phone=%2B447700900123&text=hi",
        "whatsapp://send?phone=447700900123",
        "viber://chat?number=%2B447700900123",
        "https://signal.me/#p/+447700900123",
        "https://t.me/+447700900123",
        "https://telegram.me/+447700900123",
        "tg://resolve?phone=447700900123",
        "sgnl://signal.me/#p/+447700900123",
        "intent://send/447700900123#Intent;scheme=smsto;package=com.whatsapp;end",
        "viber://contact?number=%2B447700900123",
        "whatsapp:+447700900123",
        "skype:+447700900123?call",
        "facetime-audio://+447700900123",
        "tel://+447700900123",
        "tel:+44-7700-900123;ext=4",
        "tel:7700-900123;phone-context=+44",
        "TEL:%2B447700900123",
        "sms:+447700900123?body=hi",
        "+44 7700 900123 x45",
        "+44 7700 900123 доб. 45",
        "+44 7700 900123,,45#",
        "\u202a+44 7700 900123\u202c",
        "+4\ufe0f\u20e34\ufe0f\u20e3 7700 900123",
    ],
)
def test_links_extensions_and_decorations_come_to_the_number(raw: str) -> None:
    assert canonicalise("phone", raw).value == "+447700900123"


def test_a_number_that_is_possible_but_not_valid_is_kept_and_flagged() -> None:
    assert canonicalise("phone", "+44 7700 900123").flags == ("not-valid",)
    assert canonicalise("phone", "+44 20 7946 0958").flags == ()


@pytest.mark.parametrize(
    ("raw", "region", "words"),
    [
        ("07700 900123", None, "no country code and no region"),
        ("00447700900123", None, "no country code and no region"),
        ("07700 900123", "Britain", "two-letter country code"),
        ("112", "GB", "match everyone"),
        ("116 111", "DE", "match everyone"),
        ("90510", "FI", "match everyone"),
        ("+49110", None, "match everyone"),
        ("7946 0958", "GB", "area code"),
        ("555-0123", "US", "area code"),
        ("call +44 7700 900123 now", None, "letters"),
        ("1-800-FLOWERS", "US", "letters"),
        ("https://example.org/447700900123", None, "letters"),
        ("+44 7700 900123 / +44 7700 900124", None, "more than one"),
        ("07700 900123, 07700 900124", "GB", "more than one"),
        ("030 123456/7", "DE", "more than one"),
        ("*100#", "GB", "other signs"),
        ("447700900123", "CH", "lost its +"),
        ("4915112345678", "DE", "lost its +"),
        ("wa.me/message/ABCDEFG", None, "no phone number"),
        ("https://t.me/alice_99", None, "no phone number"),
        ("https://telegram.me/447700900123", None, "no phone number"),
        ("https://chat.whatsapp.com/AbCdEf123", None, "no phone number"),
        ("wa.me/p/1234567/447700900123", None, "no phone number"),
        ("tg://resolve?domain=alice_99", None, "no phone number"),
        ("tel:7042;phone-context=example.com", "GB", "local to a network"),
        ("+999 7700 900123", None, "country code"),
        ("+52 1 55 1234 5678", None, "Mexico dropped the 1"),
        ("+44 7700 900123 0000 0000 0000", None, "too few or too many"),
    ],
)
def test_what_would_be_a_guess_or_match_everyone_is_refused_in_words(
    raw: str, region: str | None, words: str
) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("phone", raw, region)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail


def test_a_lost_plus_sign_is_no_doubt_where_both_readings_agree() -> None:
    assert canonicalise("phone", "447700900123", "GB").value == "+447700900123"
    assert canonicalise("phone", "12125550123", "US").value == "+12125550123"


def test_a_long_run_of_spaces_is_refused_and_not_searched_for_an_extension() -> None:
    with pytest.raises(Rejected, match="too long"):
        canonicalise("phone", "1" + " " * 4000 + "1", "GB")


def test_a_region_is_known_in_any_case_and_uk_is_britain() -> None:
    assert [known_region(hint) for hint in ("gb", " UK ", "tr", "XX", "")] == ["GB", "GB", "TR", None, None]
