"""Sharing a secret scalar among key holders: Shamir's polynomial with Feldman's commitments.

Rule: threshold t >= 2 and t > n/2 for n holders (DESIGN 1), so that two disjoint quorums cannot exist. Holder i of
the roster (from 0) has abscissa x = i + 1. Exactly t commitments C_j = a_j * G are published, the first (the public
key) and the last not the identity: a polynomial of lower degree would let fewer than t holders evaluate.
Sources: Shamir, How to share a secret (1979); Feldman, A practical scheme for non-interactive verifiable secret
sharing (1987).

It evaluates nothing (`broker.protocol.quorum` does) and puts k together again only for its dealer, who owns it.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from broker.protocol import group
from broker.protocol.errors import BadInput, VerificationFailed

MINIMUM_THRESHOLD = 2
MAXIMUM_HOLDERS = 64


@dataclass(frozen=True, slots=True)
class Share:
    """The polynomial's value (a scalar) at the holder's abscissa x, 1 to 64."""

    x: int
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dealing:
    """Everything one `split` makes: commitments are public, each share is for its holder alone."""

    commitments: tuple[bytes, ...]
    shares: tuple[Share, ...]


def split(secret: bytes, threshold: int, holders: int, random_bytes: Callable[[int], bytes]) -> Dealing:
    """Deals a non-zero scalar to `holders`, any `threshold` of whom can use it.

    Raises BadInput for a secret that is no scalar, or unless 2 <= t <= n <= 64 and t > n/2.
    """
    if not MINIMUM_THRESHOLD <= threshold <= holders <= MAXIMUM_HOLDERS:
        raise BadInput("The threshold is at least 2 and at most the number of holders, who are at most 64.")
    if 2 * threshold <= holders:
        raise BadInput("The threshold must be more than half of the holders.")
    # Coefficients of x^1 .. x^(t-1) are non-zero, the last because it carries the degree.
    coefficients = [group.check_scalar(secret)]
    coefficients += [group.random_scalar(random_bytes) for _ in range(threshold - 1)]
    shares = tuple(Share(x, _polynomial(coefficients, x)) for x in range(1, holders + 1))
    return Dealing(tuple(group.multiply_base(each) for each in coefficients), shares)


def check_commitments(commitments: Sequence[bytes], threshold: int) -> tuple[bytes, ...]:
    """Returns the commitments if there are exactly t, canonical, first and last not the identity.

    Raises VerificationFailed otherwise.
    """
    if threshold < MINIMUM_THRESHOLD or len(commitments) != threshold:
        raise VerificationFailed("There must be exactly as many commitments as the threshold, at least two.")
    try:
        group.check_element(commitments[0])
        group.check_element(commitments[-1])
        for each in commitments[1:-1]:
            if each != group.IDENTITY:
                group.check_element(each)
    except BadInput:
        raise VerificationFailed(
            "A commitment is no canonical group element, or the first or last is the identity."
        ) from None
    return tuple(commitments)


def share_commitment(commitments: Sequence[bytes], x: int) -> bytes:
    """The public element of the share at x: the sum of x^j * C_j (Horner's rule).

    Raises BadInput for an x outside 1 to 64, a bad commitment, or if the sum is the identity (a share of zero).
    """
    _check_abscissa(x)
    if not commitments:
        raise BadInput("A dealing without commitments has no shares.")
    scalar = group.scalar_from_int(x)
    total = commitments[-1]
    for commitment in reversed(commitments[:-1]):
        raised = total if total == group.IDENTITY else group.multiply(scalar, total)
        total = group.add(raised, commitment)
    return group.check_element(total)


def verify_share(share: Share, commitments: Sequence[bytes], threshold: int) -> None:
    """What a holder checks before it accepts (DESIGN 2.2): sound commitments, and a non-zero share that fits them.

    Raises VerificationFailed.
    """
    check_commitments(commitments, threshold)
    try:
        fits = group.multiply_base(share.value) == share_commitment(commitments, share.x)
    except BadInput:
        fits = False
    if not fits:
        raise VerificationFailed("The share does not fit the dealer's commitments. Do not accept it.")


def combine(shares: Sequence[Share], threshold: int) -> bytes:
    """The secret, from exactly t shares of distinct holders: for the dealer's own recovery and for tests.

    It cannot tell a false share: `verify_share` each first. Raises BadInput for too few, too many or repeated
    shares.
    """
    if threshold < MINIMUM_THRESHOLD or len(shares) != threshold:
        raise BadInput("A secret is put together from exactly as many shares as the threshold.")
    ordered = sorted(shares, key=lambda share: share.x)
    quorum = [share.x for share in ordered]
    total = bytes(group.SCALAR_BYTES)
    for share in ordered:
        part = group.scalar_multiply(lagrange_coefficient(quorum, share.x), group.check_scalar(share.value))
        total = group.scalar_add(total, part)
    return group.check_scalar(total)


def lagrange_coefficient(quorum: Sequence[int], x: int) -> bytes:
    """The scalar by which the share at x counts towards the polynomial's value at 0: product of m / (m - x).

    Raises BadInput unless the quorum is strictly increasing, within 1 to 64, and has x.
    """
    for each in quorum:
        _check_abscissa(each)
    if any(a >= b for a, b in itertools.pairwise(quorum)) or x not in quorum:
        raise BadInput("A quorum names distinct holders in increasing order, the one asked among them.")
    numerator = denominator = 1
    for other in quorum:
        if other != x:
            numerator = numerator * other % group.ORDER
            denominator = denominator * (other - x) % group.ORDER
    # Public numbers, so plain integers do.
    return group.scalar_from_int(numerator * pow(denominator, -1, group.ORDER))


def _polynomial(coefficients: Sequence[bytes], x: int) -> bytes:
    """Horner's rule on scalars, through libsodium since the coefficients are secret. Never zero."""
    scalar = group.scalar_from_int(x)
    total = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        total = group.scalar_add(group.scalar_multiply(total, scalar), coefficient)
    return group.check_scalar(total)


def _check_abscissa(x: int) -> None:
    if not 1 <= x <= MAXIMUM_HOLDERS:
        raise BadInput("A holder's place in the roster is 1 to 64.")
