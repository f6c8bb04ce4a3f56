"""What is withheld of a list cannot be worked out from what is told of it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.auditing.small_cells import LEAST, suppress

LISTS = st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 30))


@given(LISTS)
def test_no_small_cell_and_no_small_sum_is_told(cells: dict[str, int]) -> None:
    told = suppress(cells)
    assert all(number >= LEAST and cells[name] == number for name, number in told.cells.items())
    assert told.total in (None, 0) or told.total >= LEAST


@given(LISTS)
def test_what_is_withheld_is_two_cells_or_more_or_the_sum_is_withheld_too(cells: dict[str, int]) -> None:
    told = suppress(cells)
    hidden = [number for name, number in cells.items() if number and name not in told.cells]
    assert told.withheld is bool(hidden)
    if hidden and told.total is not None:
        assert len(hidden) >= 2
        assert told.total - sum(told.cells.values()) == sum(hidden) >= LEAST


@pytest.mark.parametrize(("names", "most"), [("ab", 40), ("abc", 24), ("abcd", 11)])
def test_a_reader_who_knows_the_rule_cannot_work_out_a_withheld_cell(names: str, most: int) -> None:
    """Every list there is, put with those that are told alike: no withheld cell is the same in all of them."""
    alike: dict[tuple[object, ...], list[tuple[int, ...]]] = {}
    for numbers in itertools.product(range(most + 1), repeat=len(names)):
        told = suppress(dict(zip(names, numbers, strict=True)))
        alike.setdefault((tuple(told.cells.items()), told.withheld, told.total), []).append(numbers)
    looked_at = 0
    for (cells, withheld, total), lists in alike.items():
        told_cells = dict(cells)  # type: ignore[call-overload]
        # Larger sums have lists beyond those that were made.
        if not withheld or total is None or total - sum(told_cells.values()) > most:
            continue
        for place, name in enumerate(names):
            if name not in told_cells:
                looked_at += 1
                could_be = {numbers[place] for numbers in lists}
                assert len(could_be) > 1 or could_be == {0}, (cells, total, name, could_be)
    assert looked_at > 50


def test_five_cells_of_four_beside_a_sum_of_twenty_are_not_known_to_be_four_each() -> None:
    fours = suppress(dict.fromkeys("abcde", 4))
    assert (dict(fours.cells), fours.withheld, fours.total) == ({}, True, 20)
    assert suppress({"a": 16, "b": 4}) == fours


def test_which_larger_cell_is_withheld_besides_goes_by_name_and_not_by_size() -> None:
    assert dict(suppress({"b": 40, "c": 9, "a": 3, "d": 0}).cells) == {"c": 9}
    assert dict(suppress({"b": 5, "c": 9, "a": 3, "d": 30}).cells) == {"d": 30}
    assert dict(suppress({"a": 5, "b": 0}).cells) == {"a": 5}
