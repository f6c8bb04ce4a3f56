"""A distance is never overstated, nearly always exact, and what is kept for it says of no token that it was asked."""

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.matching.distance import MAXIMUM_TOKENS, distance, sketch
from broker.store.counted_sets import Sketch

KEY, SALT = b"k" * 32, b"s" * 32
NUMBERS = st.sets(st.integers(0, 400), max_size=200)


def tokens(numbers: set[int] | range) -> list[bytes]:
    """A list as it is sent: distinct tokens in order."""
    return sorted(hashlib.sha256(number.to_bytes(8, "big")).digest()[:16] for number in numbers)


def counted(word: str) -> bytes:
    """What a count is about."""
    return hashlib.sha256(word.encode()).digest()


def kept(numbers: set[int] | range, salt: bytes = SALT) -> Sketch:
    """The sketch of a list that was counted."""
    return sketch(KEY, salt, counted("first"), tokens(numbers))


@given(NUMBERS, NUMBERS)
@settings(max_examples=60)
def test_a_distance_is_never_overstated_and_smaller_by_two_for_each_chance_hit(
    earlier: set[int], later: set[int]
) -> None:
    found = distance(KEY, kept(earlier), counted("second"), tokens(later))
    if not earlier | later:
        assert found is None
        return
    assert found is not None
    assert 0 <= found <= len(earlier ^ later)
    assert (len(earlier ^ later) - found) % 2 == 0


@pytest.mark.parametrize("size", [20, 500, 10_000])
@pytest.mark.parametrize("apart", [0, 1, 9, 10, 11])
def test_near_the_limit_a_distance_is_exact_at_every_size(size: int, apart: int) -> None:
    assert distance(KEY, kept(range(size)), counted("second"), tokens(range(apart, size))) == apart


def test_the_very_same_count_has_no_distance_and_the_same_list_of_another_has() -> None:
    assert distance(KEY, kept(range(50)), counted("first"), tokens(range(50))) is None
    assert distance(KEY, kept(range(50)), counted("second"), tokens(range(50))) == 0


@pytest.mark.parametrize("size", [100, 1000])
def test_with_the_key_one_guess_in_a_thousand_that_was_never_asked_passes_for_asked(size: int) -> None:
    guesses = tokens(range(1_000_000, 1_040_000))
    found = distance(KEY, kept(range(size)), counted("second"), guesses)
    assert found is not None
    passed = (size + len(guesses) - found) // 2
    assert 15 <= passed <= 70  # 39 are expected


def test_without_the_key_two_sketches_of_one_list_have_no_more_in_common_than_chance() -> None:
    first, second = kept(range(1000)), kept(range(1000), b"t" * 32)
    shared = set(_numbers(first)) & set(_numbers(second))
    assert len(shared) <= 8  # of 1,000; one in 1,024 each is expected
    assert first.digest != second.digest


def test_no_token_and_no_part_of_one_is_in_what_is_kept() -> None:
    whole = b"".join((kept(range(200)).digest, kept(range(200)).fingerprints))
    for token in tokens(range(200)):
        assert token not in whole
        assert token[:8] not in whole


def test_an_empty_list_is_as_far_away_as_the_other_is_long_and_two_of_them_tell_nothing() -> None:
    assert distance(KEY, kept(set()), counted("second"), tokens(range(7))) == 7
    assert distance(KEY, kept(range(7)), counted("second"), []) == 7
    assert distance(KEY, kept(set()), counted("second"), []) is None


def test_a_list_longer_than_any_request_is_no_list() -> None:
    with pytest.raises(ValueError, match="longer"):
        sketch(KEY, SALT, counted("first"), _Endless())


class _Endless(list[bytes]):
    def __len__(self) -> int:
        return MAXIMUM_TOKENS + 1


def _numbers(found: Sketch) -> tuple[int, ...]:
    return struct.unpack(f">{len(found.fingerprints) // 4}I", found.fingerprints)
