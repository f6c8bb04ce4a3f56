"""The noise of counts: its law, and that nobody can draw it twice."""

import hashlib
import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.matching.count import noise, token_set_digest
from broker.protocol.messages.requests import TokenList

KEY = b"k" * 32
SPACE = b"s" * 16
SAMPLES = 4000


def _samples(epsilon_millis: int, key: bytes = KEY) -> list[int]:
    digests = (hashlib.sha256(index.to_bytes(4, "big")).digest() for index in range(SAMPLES))
    return [noise(key, SPACE, digest, epsilon_millis) for digest in digests]


@pytest.mark.parametrize("epsilon_millis", [250, 500, 1000, 3000])
def test_mean_and_variance_are_those_of_the_two_sided_geometric_law(epsilon_millis: int) -> None:
    drawn = _samples(epsilon_millis)
    alpha = math.exp(-epsilon_millis / 1000)
    variance = 2 * alpha / (1 - alpha) ** 2
    mean = sum(drawn) / SAMPLES
    # Four standard errors of the mean; the coins are fixed, so this passes always or never.
    assert abs(mean) < 4 * math.sqrt(variance / SAMPLES)
    assert sum(each**2 for each in drawn) / SAMPLES == pytest.approx(variance, rel=0.2)


def test_each_value_comes_up_as_often_as_the_law_says() -> None:
    drawn = _samples(1000)
    alpha = math.exp(-1)
    for value in range(-3, 4):
        expected = (1 - alpha) / (1 + alpha) * alpha ** abs(value)
        error = 4 * math.sqrt(expected * (1 - expected) / SAMPLES)
        assert drawn.count(value) / SAMPLES == pytest.approx(expected, abs=error)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 10_000))
@settings(max_examples=30)
def test_the_same_set_gets_the_same_noise_however_often_it_is_asked(digest: bytes, epsilon: int) -> None:
    assert noise(KEY, SPACE, digest, epsilon) == noise(KEY, SPACE, digest, epsilon)


def test_another_key_another_space_or_another_epsilon_draws_other_noise() -> None:
    digests = [hashlib.sha256(bytes([index])).digest() for index in range(64)]
    first = [noise(KEY, SPACE, digest, 100) for digest in digests]
    assert [noise(b"K" * 32, SPACE, digest, 100) for digest in digests] != first
    assert [noise(KEY, b"S" * 16, digest, 100) for digest in digests] != first
    assert [noise(KEY, SPACE, digest, 101) for digest in digests] != first


def test_nonce_handles_and_order_of_lists_do_not_change_the_set() -> None:
    lists = [
        TokenList(handle=bytes([index]) * 16, deposit_id=bytes([index]) * 32, tokens=bytes([index]) * 16)
        for index in range(4)
    ]
    digest = token_set_digest(lists)
    for order in itertools.permutations(lists):
        renamed = [item.model_copy(update={"handle": b"h" * 16}) for item in order]
        assert token_set_digest(renamed) == digest


def test_a_token_moved_to_another_deposit_is_another_set() -> None:
    def digest(first: bytes, second: bytes) -> bytes:
        one = TokenList(handle=b"1" * 16, deposit_id=b"1" * 32, tokens=first)
        two = TokenList(handle=b"2" * 16, deposit_id=b"2" * 32, tokens=second)
        return token_set_digest([one, two])

    token = b"t" * 16
    assert len({digest(token, b""), digest(b"", token), digest(token, token), digest(b"", b"")}) == 4


def test_a_count_without_privacy_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="privacy loss"):
        noise(KEY, SPACE, b"d" * 32, 0)
