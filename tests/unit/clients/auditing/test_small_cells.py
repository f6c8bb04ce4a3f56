"""What is withheld of a list cannot be worked out from what is told of it."""

import itertools

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
def test_what_is_withheld_is_two_cells_or_more_that_come_to_five_or_the_sum_is_withheld_too(
    cells: dict[str, int],
) -> None:
    told = suppress(cells)
    hidden = [number for name, number in cells.items() if number and name not in told.cells]
    assert told.withheld is bool(hidden)
    if hidden and told.total is not None:
        assert len(hidden) >= 2
        assert told.total - sum(told.cells.values()) == sum(hidden) >= LEAST


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9), min_size=4, max_size=4))
def test_for_every_withheld_cell_another_list_is_told_the_same(cells: dict[str, int]) -> None:
    told = suppress(cells)
    if not told.withheld or told.total is None:
        return
    names = [name for name in cells if name not in told.cells]
    rest = told.total - sum(told.cells.values())
    # Every list that a reader could think of: the same cells told, and the same sum.
    possible = []
    for split in itertools.product(range(rest + 1), repeat=len(names) - 1):
        if sum(split) <= rest:
            other = dict(told.cells) | dict(zip(names, (*split, rest - sum(split)), strict=True))
            if suppress(other) == told:
                possible.append(other)
    for name in names:
        assert len({each[name] for each in possible}) > 1, (cells, name)


def test_five_cells_of_four_beside_a_sum_of_twenty_are_not_known_to_be_four_each() -> None:
    fours = suppress(dict.fromkeys("abcde", 4))
    assert (dict(fours.cells), fours.withheld, fours.total) == ({}, True, 20)
    assert suppress({"a": 16, "b": 4}) == fours


def test_the_same_list_is_told_the_same_way_and_empty_cells_are_left_out() -> None:
    assert dict(suppress({"b": 9, "c": 9, "a": 3, "d": 0, "e": 40}).cells) == {"c": 9, "e": 40}
    assert dict(suppress({"a": 5, "b": 0}).cells) == {"a": 5}
