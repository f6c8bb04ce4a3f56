"""Dealing a key: any t holders can use it, t - 1 learn nothing, and a false share or polynomial is refused."""

import dataclasses
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import group, shares
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.shares import Share

source = random.Random(1979).randbytes
SECRET = group.random_scalar(source)


@settings(max_examples=20)
@given(st.data())
def test_any_t_shares_give_the_secret_and_each_fits_the_commitments(data: st.DataObject) -> None:
    holders = data.draw(st.integers(2, 7))
    threshold = data.draw(st.integers(max(2, holders // 2 + 1), holders))
    dealing = shares.split(SECRET, threshold, holders, source)
    for share in dealing.shares:
        shares.verify_share(share, dealing.commitments, threshold)
    some = data.draw(st.permutations(dealing.shares))[:threshold]
    assert shares.combine(some, threshold) == SECRET
    assert dealing.commitments[0] == group.multiply_base(SECRET)


def test_every_pair_of_three_holders_works_and_no_one_alone() -> None:
    dealing = shares.split(SECRET, 2, 3, source)
    for pair in itertools.combinations(dealing.shares, 2):
        assert shares.combine(pair, 2) == SECRET
    for alone in dealing.shares:
        assert alone.value != SECRET
        with pytest.raises(BadInput):
            shares.combine([alone], 2)
        with pytest.raises(BadInput):
            shares.combine([alone, alone], 2)


@pytest.mark.parametrize(
    ("threshold", "holders"), [(1, 1), (1, 2), (2, 4), (3, 6), (4, 3), (33, 65), (2, 64)]
)
def test_thresholds_that_give_too_few_holders_power_are_refused(threshold: int, holders: int) -> None:
    with pytest.raises(BadInput):
        shares.split(SECRET, threshold, holders, source)


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32, b"short"])
def test_only_a_sound_non_zero_secret_is_dealt(secret: bytes) -> None:
    with pytest.raises(BadInput):
        shares.split(secret, 2, 3, source)


def test_a_false_a_zero_and_a_swapped_share_are_refused() -> None:
    dealing = shares.split(SECRET, 2, 3, source)
    first, second, _ = dealing.shares
    one = group.scalar_from_int(1)
    for wrong in (
        Share(1, group.scalar_add(first.value, one)),
        Share(1, bytes(32)),
        Share(1, b"\xff" * 32),
        Share(2, first.value),
        Share(0, SECRET),  # the secret itself is the polynomial at 0: no holder's place
        Share(65, first.value),
        dataclasses.replace(second, x=3),
    ):
        with pytest.raises(VerificationFailed):
            shares.verify_share(wrong, dealing.commitments, 2)


def test_a_share_of_another_dealing_is_refused() -> None:
    dealing, other = shares.split(SECRET, 2, 3, source), shares.split(SECRET, 2, 3, source)
    with pytest.raises(VerificationFailed):
        shares.verify_share(other.shares[0], dealing.commitments, 2)


def test_a_polynomial_of_another_degree_is_refused_though_its_shares_fit() -> None:
    straight = shares.split(SECRET, 2, 3, source)
    with pytest.raises(VerificationFailed):
        shares.verify_share(straight.shares[0], straight.commitments, 3)
    # Padded with an identity, the line would pass for a parabola of which two holders are enough.
    padded = (*straight.commitments, group.IDENTITY)
    assert shares.share_commitment(padded, 1) == group.multiply_base(straight.shares[0].value)
    with pytest.raises(VerificationFailed):
        shares.verify_share(straight.shares[0], padded, 3)


def test_a_public_key_of_zero_and_what_is_no_element_are_refused() -> None:
    one, two = shares.split(SECRET, 2, 3, source).commitments
    for wrong in ((group.IDENTITY, two), (one, group.IDENTITY), (one, b"\xff" * 32), (one, b""), (one,), ()):
        with pytest.raises(VerificationFailed):
            shares.check_commitments(wrong, 2)
    with pytest.raises(VerificationFailed):
        shares.check_commitments((one,), 1)
    # In the middle the identity is a coefficient like any other.
    assert shares.check_commitments((one, group.IDENTITY, two), 3) == (one, group.IDENTITY, two)


def test_a_share_that_is_zero_by_the_dealers_design_has_no_commitment() -> None:
    # f(x) = s - s*x is zero at x = 1: the holder there would add nothing to any answer.
    commitments = (group.multiply_base(SECRET), group.multiply_base(group.scalar_negate(SECRET)))
    with pytest.raises(BadInput):
        shares.share_commitment(commitments, 1)


@settings(max_examples=30)
@given(st.sets(st.integers(1, 64), min_size=2, max_size=6))
def test_lagrange_coefficients_of_a_constant_polynomial_add_up_to_one(places: set[int]) -> None:
    quorum = sorted(places)
    total = bytes(32)
    for x in quorum:
        total = group.scalar_add(total, shares.lagrange_coefficient(quorum, x))
    assert total == group.scalar_from_int(1)


@pytest.mark.parametrize("quorum", [(), (2, 1), (1, 1, 2), (0, 1), (1, 65), (2, 3)])
def test_a_quorum_out_of_order_repeated_or_without_the_holder_has_no_coefficient(
    quorum: tuple[int, ...],
) -> None:
    with pytest.raises(BadInput):
        shares.lagrange_coefficient(quorum, 1)


def test_a_share_is_not_in_its_repr() -> None:
    dealing = shares.split(SECRET, 2, 3, source)
    assert "value" not in repr(dealing)
