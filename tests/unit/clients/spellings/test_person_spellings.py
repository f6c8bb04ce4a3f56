"""Spellings of a person: bounded, ordered, the same every time, each in the form that a depositor would come to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.person_lists import persons
from broker.protocol.errors import BadInput
from clients.identifiers import canonicalise
from clients.spellings.person_letter_rules import SYSTEMS
from clients.spellings.person_name_families import FAMILIES
from clients.spellings.person_spellings import MAXIMUM_SPELLINGS, spellings


def form(raw: str) -> str:
    return canonicalise("person", raw).text


def test_the_first_spelling_is_the_one_in_the_file_and_one_is_it_alone() -> None:
    text = form("Mohammed Yusuf; 2050-04-03")
    assert [each.text for each in spellings(text, 1)] == [text]
    assert spellings(text, 5)[0].change == "as written"


@settings(max_examples=10, derandomize=True)
@given(st.integers(0, 10_000), st.integers(2, 60))
def test_spellings_are_bounded_distinct_ordered_and_canonical(seed: int, limit: int) -> None:
    text = form(persons(1, seed)[0].asked)
    found = spellings(text, limit)
    texts = [each.text for each in found]
    assert len(texts) == len(set(texts)) <= limit
    assert texts == [form(each.partition("|")[2]) for each in texts]
    # A longer list goes on where the shorter one ends: a budget buys the likelier spellings first.
    assert spellings(text, limit + 20)[: len(found)] == found


@pytest.mark.parametrize(
    ("asked", "held", "limit"),
    [
        ("Mohammed Yusuf; 2050-04-03", "Youssef Muhammad; 2050-04-03", 60),
        ("Юлия Харченко; 2050-10-31", "Yuliya Kharchenko; 2050-10-31", 20),
        ("Юлия Харченко; 2050-10-31", "Julija Chartschenko; 2050-10-31", 20),
        ("Jörg Müllner; 2050-05-30", "Joerg Muellner; 2050-05-30", 100),
        ("Mueller Bjoern; 2050-05-30", "Björn Müller; 2050-05-30", 5),
        ("Amina Karimova; 2050-04-03", "Amina Karimova; 2050-03-04", 30),
        ("Amina Karimova; 2050-04-13", "Amina Karimova; 2050-01-01", 40),
        ("Lena Ulrike Riesberg; 2050-04-13", "Lena Riesberg; 2050-04-13", 10),
        ("Fatima Salma; 2050-04-13", "فاطمة سلمى; 2050-04-13", 100),
    ],
)  # fmt: skip
def test_a_person_is_found_in_another_spelling(asked: str, held: str, limit: int) -> None:
    assert form(asked) != form(held)
    assert form(held) in {each.text for each in spellings(form(asked), limit)}


def test_what_the_file_lacks_is_not_guessed() -> None:
    asked = form("Lena Riesberg; 2050-04-13")
    found = [each.text for each in spellings(asked, MAXIMUM_SPELLINGS)]
    assert form("Lena Ulrike Riesberg; 2050-04-13") not in found
    assert {text.rpartition(";")[2] for text in found} <= {"2050-04-13", "2050-01-01"}


@pytest.mark.parametrize("limit", [0, MAXIMUM_SPELLINGS + 1])
def test_a_number_out_of_range_is_refused(limit: int) -> None:
    with pytest.raises(BadInput, match="1 to 200"):
        spellings(form("Amina Karimova; 2050-04-03"), limit)


def test_other_types_have_no_spellings() -> None:
    with pytest.raises(BadInput, match="Only persons"):
        spellings("phone/1|+447700900123", 5)


def test_neither_name_nor_spelling_shows_in_a_repr_or_a_change() -> None:
    for each in spellings(form("Mohammed Yusuf; 2050-04-03"), 40):
        assert "YUSUF" not in repr(each)
        assert not any(word in each.change for word in ("MOHAMMED", "YUSUF", "2050"))


def test_families_hold_names_in_a_to_z_and_each_in_one_family() -> None:
    for name, others in FAMILIES.items():
        assert all(each.isascii() and each.isalpha() and each.isupper() for each in (name, *others))
        assert {name, *others} == {others[0], *FAMILIES[others[0]]}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_keeps_a_name_a_name(system: str) -> None:
    for name in ("SHCHERBAKOV", "IULIIA", "MUELLER", "TSCHERNENKO", "DJAMAL"):
        assert SYSTEMS[system](name).isalpha()
