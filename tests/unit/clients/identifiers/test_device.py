"""IMEIs: one device has one form, with and without its software version, and no digit is guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn

from clients.identifiers import Rejected, canonicalise

# 3GPP's and the GSMA's printed examples, and made-up ones with the type allocation of the first.
BODIES = st.one_of(
    st.sampled_from(["49015420323751", "35209900176148", "01302100123456"]),
    st.integers(0, 999_999).map(lambda serial: f"49015420{serial:06d}"),
)
SEPARATORS = st.sampled_from(["", " ", "-", ".", "/", "\u2011", "\u00a0"])


@given(BODIES, SEPARATORS, st.integers(0, 99), st.sampled_from([0x30, 0xFF10, 0x0660, 0x0966]))
def test_spacing_width_and_software_version_do_not_count(
    body: str, separator: str, software: int, zero: int
) -> None:
    imei = body + luhn.calc_check_digit(body)
    grouped = separator.join((imei[:2], imei[2:8], imei[8:14], imei[14:]))
    other_digits = "".join(chr(zero + int(digit)) for digit in imei)
    for written in (imei, grouped, f"IMEI: {grouped}", other_digits):
        assert canonicalise("imei", written).text == f"imei/1|{imei}"
        assert canonicalise("imei", written).flags == ()
    versioned = canonicalise("imei", f"IMEISV {separator.join((body[:8], body[8:], f'{software:02d}'))}")
    assert versioned.value == imei
    assert versioned.flags == ("no-check-digit",)


@given(BODIES, st.data())
def test_one_changed_digit_is_refused(body: str, data: st.DataObject) -> None:
    imei = body + luhn.calc_check_digit(body)
    place = data.draw(st.integers(0, 14))
    other = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != imei[place]))
    with pytest.raises(Rejected, match="check digit"):
        canonicalise("imei", imei[:place] + other + imei[place + 1 :])


@given(BODIES)
def test_a_networks_record_is_read_only_if_the_hint_says_so(body: str) -> None:
    imei = body + luhn.calc_check_digit(body)
    for recorded in (body, f"{body}0"):
        assert canonicalise("imei", recorded, "network").value == imei
    with pytest.raises(Rejected, match="network"):
        canonicalise("imei", body)
    if not imei.endswith("0"):
        with pytest.raises(Rejected, match="network"):
            canonicalise("imei", f"{body}0", "GB")


@pytest.mark.parametrize(
    ("raw", "hint", "words"),
    [
        ("000000000000000", None, "match everyone"),
        ("000000001234566", None, "match everyone"),
        ("111111111111119", None, "match everyone"),
        ("004999010640000", None, "match everyone"),
        ("0049990106400001", None, "match everyone"),
        ("135790246811222", None, "match everyone"),
        ("123456789012347", None, "match everyone"),
        ("490154203237519", None, "a digit is wrong"),
        ("490154203237519", "network", "a digit is wrong"),
        ("4.90154203237518E+14", None, "format the column as text"),
        ("A0000012345678", None, "digits only"),
        ("490154203237518 490154203237526", None, "its own row"),
        ("4901542032375", None, "15 digits"),
    ],
)
def test_what_is_no_ones_device_is_refused_in_words(raw: str, hint: str | None, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("imei", raw, hint)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail
