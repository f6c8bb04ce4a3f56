"""How large answers are on a stick: as large as the calls say, and otherwise one of a few sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol import carried
from broker.protocol.carried import CarriedAnswer, CarriedAnswers, CarriedCall, CarriedCalls, CarriedStep
from broker.protocol.carried_answers import LEAST_BYTES, padded
from broker.protocol.errors import BadInput

TOKENS = CarriedStep(step="tokens of a request", calls=1, size=10_000)
ROOM = LEAST_BYTES + 40_000


@given(size=st.integers(0, ROOM))
def test_every_answer_that_fits_the_room_of_its_calls_is_of_one_size(size: int) -> None:
    assert len(padded(bytes(size), [TOKENS])) == ROOM


def test_a_larger_answer_takes_one_of_a_few_sizes_and_never_more_than_a_file_holds() -> None:
    mebibyte = 1 << 20
    sizes = {len(padded(bytes(size), [TOKENS])) for size in range(0, 8 * mebibyte, 9_973)}
    assert sorted(sizes)[:4] == [ROOM, 2 * ROOM, 4 * ROOM, 8 * ROOM]
    assert len(sizes) == 7
    largest = TOKENS.model_copy(update={"size": 16 * mebibyte})
    assert len(padded(bytes(40 * mebibyte), [largest])) < carried.MAXIMUM_FILE_BYTES


def test_what_is_behind_the_answers_is_zeros_and_nothing_is_behind_calls() -> None:
    answers = carried.frame(CarriedAnswers(answers=(CarriedAnswer(status=200, size=3),)), [b"{ }"])
    assert carried.unframe(CarriedAnswers, padded(answers, []))[1] == [b"{ }"]
    assert carried.unframe(CarriedAnswers, answers)[1] == [b"{ }"]
    for damaged in (answers + b"\x00\x01", answers[:-1]):
        with pytest.raises(BadInput, match="longer or shorter"):
            carried.unframe(CarriedAnswers, damaged)
    calls = carried.frame(
        CarriedCalls(calls=(CarriedCall(method="GET", target="/v1/prekeys", size=0),)), [b""]
    )
    with pytest.raises(BadInput, match="longer or shorter"):
        carried.unframe(CarriedCalls, calls + b"\x00")
