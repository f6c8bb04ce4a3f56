"""Type person: one form whatever the order, the letters and the way to write a date; refusals in words."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.person_lists import persons
from clients.identifiers import canonicalise
from tests.identifier_case import MARK, form_or_reason

BORN = ";2050-12-31"


@pytest.mark.parametrize(
    "raw",
    [
        "Amina Karimova; 2050-12-31",
        "Karimova, Amina; 31.12.2050",
        "KARIMOVA<<AMINA<<<<<<; 20501231",
        "Амина Каримова | 31 декабря 2050",
        "Ａｍｉｎａ Karimova 2050/12/31",
        "Dr. Amina K. Karimova; 31 December 2050",
        "Amina Karimova; December 31st, 2050",
        "Amina Karimova; 2050-12-31 00:00:00",
        "Amina al-Karimova; ٣١/١٢/٢٠٥٠",
        "Amina Karimova (31-12-2050)",
        "Ámina Karímová; 31. Dezember 2050",
        "amina karimova; 31-dez-2050",
    ],
)
def test_one_person_is_one_form_however_written(raw: str) -> None:
    assert canonicalise("person", raw).text == f"person/1|AMINA KARIMOVA{BORN}"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("ابو بكر محمد بن زكريا الرازي", "ABW ALRAZY BKR MXHMD ZKRYA"),  # Doc 9303-3, appendix B, sorted, without BN
        ("فاطمة نورة", "FAXTTMXAH NWRXAH"),
        ("Щукин Юрий", "IURII SHCHUKIN"),
        ("Þóra Ærnsdóttir", "AERNSDOTTIR THORA"),
        ("Åse Sørensen", "AASE SOERENSEN"),
        ("Müller Weiß", "MULLER WEISS"),
        ("Ağça Işık", "AGCA ISIK"),
        ("Anna O’Brien", "ANNA OBRIEN"),
        ("van der Berg Anna", "ANNA BERG"),
        ("Van Nguyen", "NGUYEN VAN"),
        ("Ali Ali", "ALI ALI"),
        ("Marie-Claire Stein", "CLAIRE MARIE STEIN"),
        ("مُحَمَّد علي", "ELY MXHMD"),
    ],
)  # fmt: skip
def test_letters_are_those_of_the_passport_tables(name: str, form: str) -> None:
    assert canonicalise("person", f"{name}{BORN}").value == f"{form}{BORN}"


def test_which_is_the_day_is_never_guessed() -> None:
    raw = "Amina Karimova; 03/04/2050"
    form, reason = form_or_reason("person", raw)
    assert form is None
    assert "day-first or month-first" in reason
    assert canonicalise("person", raw, "day-first").value.endswith(";2050-04-03")
    assert canonicalise("person", raw, "month-first").value.endswith(";2050-03-04")
    assert form_or_reason("person", raw, "TR")[0] is None
    assert form_or_reason("person", "Amina Karimova; 13/04/2050", "month-first")[0] is None


@pytest.mark.parametrize(
    "written",
    [
        "3 March 2050",
        "3. März 2050",
        "3 mars 2050",
        "3 mar. 2050",
        "3 de marzo de 2050",
        "3 марта 2050",
        "Mar 3, 2050",
    ],
)
def test_months_are_read_by_whole_names_and_clear_beginnings(written: str) -> None:
    assert canonicalise("person", f"Amina Karimova; {written}").value == "AMINA KARIMOVA;2050-03-03"


def test_dates_that_registries_make_up_and_examples_are_flagged() -> None:
    assert canonicalise("person", "Amina Karimova; 2050-01-01").flags == ("default-date", "for-examples")
    assert canonicalise("person", "Amina Karimova; 2050-01-02").flags == ("for-examples",)


def test_letters_of_two_alphabets_in_one_name_are_flagged() -> None:
    assert "look-alike" in canonicalise("person", f"А{'mina'} Karimova{BORN}").flags
    assert "look-alike" not in canonicalise("person", f"Амина Karimova{BORN}").flags


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (f"Amina {MARK}arimova{BORN}", "such as a digit"),
        ("Amina Karimova", "birth date is missing"),
        (BORN, "name is missing"),
        (f"Amina{BORN}", "two names"),
        (f"A. Karimova{BORN}", "initial is no name"),
        (f"Amina Karimova; {MARK}", "cannot be read"),
        ("Amina Karimova; 2050", "lacks its day"),
        ("Amina Karimova; 12/2050", "lacks its day"),
        ("Amina Karimova; 31.12.50", "two digits"),
        ("Amina Karimova; 1369-01-31", "another calendar"),
        ("Amina Karimova; 2593-01-31", "another calendar"),
        ("Amina Karimova; 2050-02-30", "no such day"),
        ("Amina Karimova; 2047-05-12", "such as the Nepali one"),
        ("Amina Karimova; 31 Xyzember 2050", "month of the birth date is not known"),
        ("Amina Karimova; 12. marraskuuta 2050", "month of the birth date is not known"),  # Finnish: November
        ("Amina Karimova; 12 jui 2050", "month of the birth date is not known"),  # June or July
        ("Amina Karimova; 1900-01-01", "unknown birth date"),
        (f"Unknown Karimova{BORN}", "unknown name"),
        (f"Amina Karimova alias Stein{BORN}", "born or alias"),
        (f"Amina (Stein) Karimova{BORN}", "bracket"),
        (f"Amina; Karimova{BORN}", "one semicolon"),
        (f"Αμινα Παππα{BORN}", "passport, in A to Z"),
        (f"王 小明{BORN}", "passport, in A to Z"),
        (f"Қайрат Нұр{BORN}", "do not list"),
        (f"{'Amina Karimova ' * 6}{BORN}", "more than one person"),
    ],
)  # fmt: skip
def test_a_refusal_says_why_and_does_not_repeat_the_value(raw: str, words: str) -> None:
    form, reason = form_or_reason("person", raw)
    assert form is None
    assert words in reason
    assert not any(each in reason for each in ("Amina", "Karimova", MARK, "Stein"))


@given(st.integers(0, 5_000))
def test_a_form_is_its_own_form(seed: int) -> None:
    made = persons(1, seed)[0]
    form = canonicalise("person", made.held)
    assert canonicalise("person", form.value).text == form.text


@given(
    st.permutations(["Amina", "Лена", "Karimova", "محمد"]),
    st.sampled_from([" ", ", ", "-", "<<", " . "]),
    st.dates(datetime.date(2050, 1, 1), datetime.date(2099, 12, 31)),
    st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%d %B %Y", "%B %d, %Y", "%Y/%m/%d"]),
)
def test_order_separators_and_ways_to_write_a_date_do_not_count(
    names: list[str], between: str, born: datetime.date, way: str
) -> None:
    written = canonicalise("person", f"{between.join(names)}; {born.strftime(way)}")
    assert written.value == f"AMINA KARIMOVA LENA MXHMD;{born.isoformat()}"
