"""A wrong file is given up after a while; a right one with a bad stretch is not."""

from collections.abc import Iterator
from itertools import chain, islice, repeat

import pytest

from broker.protocol.errors import BadInput
from clients.identifiers import Canonical
from clients.readers.giving_up import MAXIMUM_DAMAGED, MAXIMUM_REFUSED, until_hopeless
from clients.readers.signals import RefusedRow, Signal

GOOD = Signal(2, Canonical("phone", 1, "+447700900123"))
DAMAGED = RefusedRow(3, "The line is not UTF-8.", damaged=True)
REFUSED = RefusedRow(4, "The phone number is too short.", column=1)
WITHOUT = RefusedRow(5, "The row has no identifier.")
Items = Iterator[Signal | RefusedRow]


def taken(items: Items) -> int:
    return sum(1 for _ in until_hopeless(items))


@pytest.mark.parametrize(("item", "limit"), [(DAMAGED, MAXIMUM_DAMAGED), (REFUSED, MAXIMUM_REFUSED)])
def test_too_many_in_a_row_end_the_reading_with_the_last_reason(item: RefusedRow, limit: int) -> None:
    seen: list[Signal | RefusedRow] = []
    with pytest.raises(BadInput) as refusal:
        seen.extend(until_hopeless(repeat(item)))
    assert item.reason in refusal.value.detail
    assert "nothing was used" in refusal.value.detail
    assert taken(islice(repeat(item), limit - 1)) == limit - 1


@pytest.mark.parametrize(("item", "limit"), [(DAMAGED, MAXIMUM_DAMAGED), (REFUSED, MAXIMUM_REFUSED)])
def test_one_good_row_begins_the_count_anew(item: RefusedRow, limit: int) -> None:
    stretch: list[Signal | RefusedRow] = [item] * (limit - 1)
    assert taken(chain(stretch, [GOOD], stretch)) == 2 * limit - 1


def test_rows_without_an_identifier_may_be_as_many_as_they_are() -> None:
    assert taken(islice(repeat(WITHOUT), 3 * MAXIMUM_REFUSED)) == 3 * MAXIMUM_REFUSED
