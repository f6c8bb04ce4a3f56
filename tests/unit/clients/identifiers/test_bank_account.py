"""IBANs: every country's example in the registry, every spelling of one, and nothing with a wrong character."""

import string
from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schwifty import registry
from schwifty.exceptions import SchwiftyException

from clients.identifiers import Rejected, canonicalise

# The examples of SWIFT's IBAN registry, one a country.
_EXAMPLES = """
    AD1200012030200359100100 AE070331234567890123456 AL47212110090000000235698741 AT611904300234573201
    AZ21NABZ00000000137010001944 BA391290079401028494 BE68539007547034 BG80BNBG96611020345678 BH67BMAG00001299123456
    BI4210000100010000332045181 BR1800360305000010009795493C1 BY13NBRB3600900000002Z00AB00 CH9300762011623852957
    CR05015202001026284066 CY17002001280000001200527600 CZ6508000000192000145399 DE89370400440532013000
    DJ2100010000000154000100186 DK5000400440116243 DO28BAGR00000001212453611324 EE382200221020145685
    EG380019000500000000263180002 ES9121000418450200051332 FI2112345600000785 FK88SC123456789012 FO6264600001631634
    FR1420041010050500013M02606 GB29NWBK60161331926819 GE29NB0000000101904917 GI75NWBK000000007099453
    GL8964710001000206 GR1601101250000000012300695 GT82TRAJ01020000001210029690 HN88CABF00000000000250005469
    HR1210010051863000160 HU42117730161111101800000000 IE29AIBK93115212345678 IL620108000000099999999
    IQ98NBIQ850123456789012 IS140159260076545510730339 IT60X0542811101000000123456 JO94CBJO0010000000000131000302
    KW81CBKU0000000000001234560101 KZ86125KZT5004100100 LB62099900000001001901229114 LC55HEMM000100010012001200023015
    LI21088100002324013AA LT121000011101001000 LU280019400644750000 LV80BANK0000435195001 LY83002048000020100120361
    MC5811222000010123456789030 MD24AG000225100013104168 ME25505000012345678951 MK07250120000058984 MN121234123456789123
    MR1300020001010000123456753 MT84MALT011000012345MTLCAST001S MU17BOMM0101101030300200000MUR
    NI45BAPR00000013000003558124 NL91ABNA0417164300 NO9386011117947 OM810180000001299123456 PK36SCBL0000001123456702
    PL61109010140000071219812874 PS92PALS000000000400123456702 PT50000201231234567890154 QA58DOHB00001234567890ABCDEFG
    RO49AAAA1B31007593840000 RS35260005601001611379 RU0304452522540817810538091310419 SA0380000000608010167519
    SC18SSCB11010000000000001497USD SD8811123456789012 SE4550000000058398257466 SI56191000000123438
    SK3112000000198742637541 SM86U0322509800000000270100 SO211000001001000100141 ST68000100010051845310112
    SV62CENR00000000000000700025 TL380080012345678910157 TN5910006035183598478831 TR330006100519786457841326
    UA213996220000026007233566001 VA59001123000012345678 VG96VPVG0000012345678901 XK051212012345678906
    YE15CBYE0001018861234567891234
"""
EXAMPLES = _EXAMPLES.split()
DIGITS = st.sampled_from(string.digits)


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_countrys_registered_example_has_one_form_however_it_is_printed(example: str) -> None:
    groups = " ".join(example[start : start + 4] for start in range(0, len(example), 4))
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in example)
    written = (
        example,
        groups,
        groups.lower(),
        f"IBAN: {groups}",
        f"iban {groups}",
        groups.replace(" ", "-"),
        wide,
    )
    forms = {canonicalise("iban", text) for text in written}
    assert {form.text for form in forms} == {f"iban/1|{example}"}
    assert {form.flags for form in forms} == {()}


def test_every_country_of_the_registry_has_its_example_here() -> None:
    registered = set()
    for country in map("".join, product(string.ascii_uppercase, repeat=2)):
        with suppress(SchwiftyException):
            spec = registry.get_iban_spec(country)
            # Territories whose IBANs begin with the code of another country have none of their own.
            if spec.iban_spec.startswith(country) and not spec.aspirational:
                registered.add(country)
    assert registered == {example[:2] for example in EXAMPLES}


@given(st.sampled_from(EXAMPLES), st.data())
def test_one_changed_digit_is_refused(example: str, data: st.DataObject) -> None:
    positions = [position for position, sign in enumerate(example) if sign.isdigit()]
    position = data.draw(st.sampled_from(positions))
    other = data.draw(DIGITS.filter(lambda digit: digit != example[position]))
    with pytest.raises(Rejected, match=r"check digits|all zeros"):
        canonicalise("iban", example[:position] + other + example[position + 1 :])


@given(st.sampled_from(EXAMPLES), st.data())
def test_two_neighbours_swapped_are_refused(example: str, data: st.DataObject) -> None:
    swappable = [
        place
        for place in range(2, len(example) - 1)
        if example[place : place + 2].isdigit() and example[place] != example[place + 1]
    ]
    place = data.draw(st.sampled_from(swappable))
    with pytest.raises(Rejected):
        canonicalise("iban", example[:place] + example[place + 1] + example[place] + example[place + 2 :])


@given(st.text(max_size=40))
def test_no_text_does_anything_but_a_form_or_a_refusal_without_the_value(raw: str) -> None:
    try:
        value, reason = canonicalise("iban", raw).value, ""
    except Rejected as refusal:
        value, reason = "", refusal.detail
    assert reason or canonicalise("iban", value).value == value
    # Shorter texts can occur in an English sentence by chance.
    assert len(raw.strip()) < 6 or raw not in reason


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("532013000", "a plain account number is none"),
        ("US89 3704 0044", "a plain account number is none"),
        ("DE89 3704 0044 0532 0130", "too short or too long"),
        ("DE89 3704 0044 0532 0130 0000", "too short or too long"),
        ("DE89 AA04 0044 0532 0130 00", "a letter where its country has a digit"),
        ("DE89 3704 0044 0532 0130 O0", "a letter where its country has a digit"),
        ("DE8\u0417 3704 0044 0532 0130 00", "letters of another alphabet"),
        ("DE89 3704 0044 0532 0130 00 GB29 NWBK 6016 1331 9268 19", "its own row"),
        ("DE63 1001 0010 0000 0000 00", "all zeros"),
    ],
)
def test_what_is_no_iban_is_refused_in_words(raw: str, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("iban", raw)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None


def test_a_country_outside_the_registry_is_kept_and_flagged() -> None:
    assert canonicalise("iban", "DZ58 0002 1000 0111 3000 0005 70").flags == ("not-in-registry",)
