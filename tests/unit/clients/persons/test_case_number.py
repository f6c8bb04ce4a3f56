"""The case number: what a person says on the telephone is found, or found to be wrong."""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol.errors import BadInput
from clients.persons.case_number import ALPHABET, LENGTH, draw, new, parse, shown, spoken

NUMBERS = st.integers(0, 2**32).map(lambda seed: new(random.Random(seed).randbytes))


@given(NUMBERS)
def test_a_number_is_read_however_it_is_written(number: str) -> None:
    assert parse(number) == number
    assert parse(f" {shown(number).lower()} ") == number
    assert parse(" ".join(number)) == number
    assert len(spoken(number).replace(",", "").split()) == LENGTH


@given(NUMBERS, st.integers(0, LENGTH - 1), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(number: str, at: int, other: str) -> None:
    wrong = number[:at] + other + number[at + 1 :]
    if wrong != number:
        with pytest.raises(BadInput, match="wrong"):
            parse(wrong)


@given(NUMBERS, st.integers(0, LENGTH - 1), st.integers(0, LENGTH - 1))
def test_two_swapped_characters_are_noticed(number: str, first: int, second: int) -> None:
    swapped = list(number)
    swapped[first], swapped[second] = number[second], number[first]
    if "".join(swapped) != number:
        with pytest.raises(BadInput, match="swapped"):
            parse("".join(swapped))


@pytest.mark.parametrize("text", ["", "K7Q-M2X", "QQQ-M2XH", "K7Q-M2XH-FR0", "K7Q-M2XH-FRTT", "K7Q-M2XH-FRÄ"])
def test_what_cannot_be_a_number_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse(text)
    assert len(text) < 8 or text not in refused.value.detail


def test_every_character_is_as_likely_as_any_other() -> None:
    source = iter(range(256)).__next__
    drawn = draw(lambda _: bytes([source()]), ALPHABET, 248)
    assert {drawn.count(each) for each in ALPHABET} == {8}
    assert new(os.urandom) != new(os.urandom)
