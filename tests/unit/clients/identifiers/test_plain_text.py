"""What happened to an identifier on its way into a file is undone, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers.plain_text import plain_characters, refanged, stripped


@pytest.mark.parametrize(
    "written",
    [
        "hxxps://example[.]org/a",
        "hXXps://example.org/a",
        "h**ps://example[.]org/a",
        "HXXPS[:]//example[.]org/a",
        "hxxps[://]example[.]org/a",
        "https://example[dot]org/a",
        "https://example(.)org/a",
        "https://example(dot)org[/]a",
        "https://example{.}org/a",
    ],
)
def test_a_defanged_link_is_as_it_was(written: str) -> None:
    assert refanged(written) == "https://example.org/a"


@pytest.mark.parametrize(
    "written",
    ["https://example.org/a(.)b", "https://example.org/f(dot)", "https://example.org/?a[]=1", "a.b", ""],
)
def test_what_may_be_meant_so_is_left_alone(written: str) -> None:
    assert refanged(written) == written


@given(st.text(max_size=40))
def test_undoing_twice_changes_nothing_more(text: str) -> None:
    assert plain_characters(plain_characters(text)) == plain_characters(text)
    assert stripped(stripped(text)) == stripped(text)


def test_digits_of_any_writing_system_become_the_common_ones() -> None:
    assert plain_characters("٠١٢ ۳۴ ５६\u2011\u200e7\ufe0f\u20e3") == "012 34 56-7"


def test_marks_and_spaces_at_both_ends_go_and_those_within_stay() -> None:
    assert stripped(" \ufeff\u200e a\u200bb\u202c\t") == "a\u200bb"
