"""Machine-readable zones: published specimens of every size, and every misread sign refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers import Rejected, canonicalise

TD3 = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"
TD2 = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6"
TD1 = "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<"
VISA = "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL8988901C4XXX4009078F96121096ZE184226B<<<<<<"
SPECIMENS = {
    # ICAO Doc 9303 parts 4, 5 and 6; its example of a long number, from the sixth edition
    TD3: "UTO:L898902C3",
    TD2: "UTO:D23145890",
    TD1: "UTO:D23145890",
    "I<UTOD23145890<7349<<<<<<<<<<<\n3407127M9507122UTO<<<<<<<<<<<2\nSTEVENSON<<PETER<JOHN<<<<<<<<<": (
        "UTO:D23145890734"
    ),
    # specimens in PRADO, the Council's register: a passport without personal number, and cards
    "P<D<<MUSTERMANN<<ERIKA<<<<<<<<<<<<<<<<<<<<<<\nC01X00T478D<<6408125F2702283<<<<<<<<<<<<<<<4": "D:C01X00T47",
    "IDD<<T220001293<<<<<<<<<<<<<<<\n6408125<2010315D<<<<<<<<<<<<<4\nMUSTERMANN<<ERIKA<<<<<<<<<<<<<": (
        "D:T22000129"
    ),
    "IDBEL600001476<9355<<<<<<<<<<<\n1301014F2311207UTO130101987390\nSPECIMEN<<SPECIMEN<<<<<<<<<<<<": (
        "BEL:600001476935"
    ),
    "I<MCO029067<<<0<<<<<<<<<<<<<<<\n9901018F0903248MCO<<<<<<<<<<<0\nSPECIMEN<<SPECIMEN<<<<<<<<<<<<": (
        "MCO:029067"
    ),
    "IRGBRZU12345673<<<<<<<<<<<<<<<\n6608198F0808088COU<<<<<<<<<<<6\nSAMPLE<<SUSANNA<<<<<<<<<<<<<<<": (
        "GBR:ZU1234567"
    ),
}
DIGITS = st.sampled_from("0123456789")


@pytest.mark.parametrize(("zone", "expected"), SPECIMENS.items())
def test_a_specimen_comes_to_its_state_and_number_however_its_lines_are_parted(
    zone: str, expected: str
) -> None:
    wide = "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in zone)
    for written in (
        zone,
        zone.replace("\n", "\r\n"),
        zone.replace("\n", ""),
        zone.lower(),
        f"  {zone}\n",
        wide,
    ):
        form = canonicalise("passport_mrz", written)
        assert form.text == f"passport_mrz/1|{expected}"
        assert form.flags == ()
    again = canonicalise("passport_mrz", expected)
    assert (again.value, again.flags) == (expected, ("no-check-digit",))


# Line and places of everything that a check digit guards, check digits themselves included.
GUARDED = {
    TD3: [(1, place) for place in (*range(10), *range(13, 20), *range(21, 44))],
    TD2: [(1, place) for place in (*range(10), *range(13, 20), *range(21, 36))],
    TD1: [
        *((0, place) for place in range(5, 30)),
        *((1, place) for place in (*range(7), *range(8, 15), *range(18, 30))),
    ],
}


@given(st.sampled_from(sorted(GUARDED)), st.data())
def test_one_changed_digit_is_refused_wherever_a_check_digit_looks(zone: str, data: st.DataObject) -> None:
    lines = zone.split("\n")
    places = [(line, place) for line, place in GUARDED[zone] if lines[line][place].isdigit()]
    line, place = data.draw(st.sampled_from(places))
    other = data.draw(DIGITS.filter(lambda digit: digit != lines[line][place]))
    lines[line] = lines[line][:place] + other + lines[line][place + 1 :]
    with pytest.raises(Rejected, match="check digit"):
        canonicalise("passport_mrz", "\n".join(lines))


@pytest.mark.parametrize(("digit", "letter"), [("0", "O"), ("1", "I"), ("8", "B"), ("5", "S"), ("2", "Z")])
@pytest.mark.parametrize("zone", sorted(GUARDED))
def test_what_scanners_misread_is_refused_and_never_repaired(zone: str, digit: str, letter: str) -> None:
    lines = zone.split("\n")
    places = [(line, place) for line, place in GUARDED[zone] if lines[line][place] == digit]
    for line, place in places:
        misread = list(lines)
        misread[line] = lines[line][:place] + letter + lines[line][place + 1 :]
        with pytest.raises(Rejected):
            canonicalise("passport_mrz", "\n".join(misread))


@given(st.text(alphabet="ABCUTO0123456789<\n ", max_size=95))
def test_no_text_does_anything_but_a_form_or_a_refusal_without_the_value(raw: str) -> None:
    try:
        value, reason = canonicalise("passport_mrz", raw).value, ""
    except Rejected as refusal:
        value, reason = "", refusal.detail
    assert reason or canonicalise("passport_mrz", value).value == value
    # Shorter texts can occur in an English sentence by chance.
    assert len(raw.strip()) < 6 or raw not in reason


def test_germany_has_one_code() -> None:
    assert canonicalise("passport_mrz", "DEU:C01X00T47").value == "D:C01X00T47"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (VISA, "zone of a visa"),
        (TD3.replace("UTO", "UT0", 1), "issuing state"),
        (TD3.replace("L898902C36", "<<<<<<<<<0").replace("10", "14"), "check digit"),
        (TD3[:-1], "2 lines of 44"),
        (TD3.split("\n")[1], "2 lines of 44"),
        (TD3.replace("<", " "), "2 lines of 44"),
        (TD3.replace("<<ANNA", "\u00ab\u00abANNA"), "A to Z, 0 to 9"),
        ("L898902C3", "write the state and the number"),
        (TD3.replace("L898902C36", "<L89890236"), "begins with <"),
        ("UTO:000000000", "placeholder"),
        ("UTO:X", "placeholder"),
        ("ZZZ:L898902C3", "issuing state"),
        ("D<UTO" + TD1[5:], "not that of a passport"),
        (
            "IDFRADOUEL<<<<<<<<<<<<<<<<<<<<932013\n0506932020438CHRISTIANE<<NI2906209F3",
            "not that of a passport",
        ),
    ],
)
def test_what_is_no_travel_document_is_refused_in_words(raw: str, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("passport_mrz", raw)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail
    assert "ERIKSSON" not in refusal.value.detail
