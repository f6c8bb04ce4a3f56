"""Months in UTC."""

import pytest

from broker.months import between, end_of, later, month_of


@pytest.mark.parametrize(
    ("month", "first", "end"),
    [
        ("2026-09", 1_788_220_800, 1_790_812_800),
        ("2026-12", 1_796_083_200, 1_798_761_600),
        ("2028-02", 1_832_976_000, 1_835_481_600),
    ],
)
def test_a_month_goes_from_its_first_second_to_the_first_after_it(month: str, first: int, end: int) -> None:
    assert end_of(month) == end
    assert (month_of(first - 1), month_of(first), month_of(end - 1), month_of(end)) == (
        later(month, -1),
        month,
        month,
        later(month, 1),
    )


def test_months_follow_one_another_over_the_turn_of_a_year() -> None:
    assert list(between("2026-11", "2027-02")) == ["2026-11", "2026-12", "2027-01", "2027-02"]
    assert list(between("2027-01", "2026-12")) == []
