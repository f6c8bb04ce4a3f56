"""The prime-order group ristretto255 (RFC 9496) and its scalar field, on encoded bytes.

Rule: an element is 32 bytes in canonical encoding, a scalar 32 bytes, little-endian, below the order. Everything is
checked at the door: each function takes bytes from anywhere and either gives a correct result or raises BadInput.
Hashing is RFC 9380's expand_message_xmd with SHA-512, as RFC 9497 4.1 wants it.

Secret scalars go through libsodium alone, in constant time. It knows nothing of the OPRF built on it.
"""

import hashlib
import itertools
from collections.abc import Callable, Sequence

from broker.protocol.errors import BadInput
from broker.protocol.libsodium import Rejected, sodium

ELEMENT_BYTES = 32
SCALAR_BYTES = 32
ORDER = 2**252 + 27742317777372353535851937790883648493
IDENTITY = bytes(ELEMENT_BYTES)
GENERATOR = sodium.multiply_base(b"\x01" + bytes(31))

_ZERO = bytes(SCALAR_BYTES)
_WIDE_BYTES = 64
_BLOCK = bytes(128)  # Z_pad of RFC 9380 5.3.1: one block of SHA-512
_LENGTH_AND_ZERO = _WIDE_BYTES.to_bytes(2, "big") + b"\x00"

_NO_ELEMENT = "A group element is 32 bytes in canonical ristretto255 encoding and not the identity."
_NO_SCALAR = "A scalar is 32 bytes, little-endian, not zero and below the group's order."


def expand_message(message: bytes, dst: bytes) -> bytes:
    """expand_message_xmd of RFC 9380 5.3.1 with SHA-512, for the one length in use: 64 bytes.

    Raises BadInput if dst is empty or longer than 255 bytes.
    """
    if not 1 <= len(dst) <= 255:
        raise BadInput("A domain separation tag has 1 to 255 bytes.")
    dst_prime = dst + bytes((len(dst),))
    first = hashlib.sha512(b"".join((_BLOCK, message, _LENGTH_AND_ZERO, dst_prime))).digest()
    # 64 bytes are one block of output, so the loop of the RFC has a single step.
    return hashlib.sha512(first + b"\x01" + dst_prime).digest()


def hash_to_group(message: bytes, dst: bytes) -> bytes:
    """hash_to_ristretto255 of RFC 9380 appendix B. Raises BadInput for a bad dst."""
    element = sodium.from_hash(expand_message(message, dst))
    if element == IDENTITY:
        raise BadInput(_NO_ELEMENT)
    return element


def hash_to_scalar(message: bytes, dst: bytes) -> bytes:
    """HashToScalar of RFC 9497 4.1: 64 expanded bytes modulo the order. May be zero, once in 2^252."""
    return sodium.scalar_reduce(expand_message(message, dst))


def check_element(element: bytes) -> bytes:
    """Returns the element if it is canonical and not the identity. Raises BadInput otherwise."""
    if len(element) != ELEMENT_BYTES or element == IDENTITY or not sodium.is_valid(element):
        raise BadInput(_NO_ELEMENT)
    return element


def check_scalar(scalar: bytes) -> bytes:
    """Returns the scalar if it is canonical and not zero. Raises BadInput otherwise."""
    if len(scalar) != SCALAR_BYTES or not 0 < int.from_bytes(scalar, "little") < ORDER:
        raise BadInput(_NO_SCALAR)
    return scalar


def split_elements(data: bytes) -> tuple[bytes, ...]:
    """Cuts concatenated elements apart. Raises BadInput unless it is a whole number of them; each is checked
    only where it is used.
    """
    if len(data) % ELEMENT_BYTES:
        raise BadInput("Group elements sent one after another have 32 bytes each; some are cut short.")
    return tuple(data[start : start + ELEMENT_BYTES] for start in range(0, len(data), ELEMENT_BYTES))


def multiply(scalar: bytes, element: bytes) -> bytes:
    """scalar * element, for a non-zero scalar and an element that is not the identity. Raises BadInput."""
    check_scalar(scalar)
    try:
        # libsodium decodes the element itself, and the identity is the only one with an identity result.
        return sodium.multiply(scalar, element)
    except Rejected:
        raise BadInput(_NO_ELEMENT) from None


def multiply_base(scalar: bytes) -> bytes:
    """scalar * generator, for a non-zero scalar. Raises BadInput."""
    return sodium.multiply_base(check_scalar(scalar))


def add(a: bytes, b: bytes) -> bytes:
    """a + b. Either, and the sum, may be the identity. Raises BadInput if one is not canonical."""
    try:
        return sodium.add(a, b)
    except Rejected:
        raise BadInput(_NO_ELEMENT) from None


def subtract(a: bytes, b: bytes) -> bytes:
    """a - b. Either, and the difference, may be the identity. Raises BadInput if one is not canonical."""
    try:
        return sodium.subtract(a, b)
    except Rejected:
        raise BadInput(_NO_ELEMENT) from None


def scalar_add(a: bytes, b: bytes) -> bytes:
    """a + b modulo the order; zero is allowed in and out, as in the three functions after this."""
    return sodium.scalar_add(_canonical(a), _canonical(b))


def scalar_subtract(a: bytes, b: bytes) -> bytes:
    """a - b modulo the order. Raises BadInput if one is not canonical."""
    return sodium.scalar_subtract(_canonical(a), _canonical(b))


def scalar_multiply(a: bytes, b: bytes) -> bytes:
    """a * b modulo the order. Raises BadInput if one is not canonical."""
    return sodium.scalar_multiply(_canonical(a), _canonical(b))


def scalar_negate(a: bytes) -> bytes:
    """-a modulo the order. Raises BadInput if it is not canonical."""
    return sodium.scalar_subtract(_ZERO, _canonical(a))


def scalar_invert(a: bytes) -> bytes:
    """1 / a modulo the order. Raises BadInput for zero."""
    return sodium.scalar_invert(check_scalar(a))


def scalar_invert_batch(scalars: Sequence[bytes]) -> list[bytes]:
    """1 / a for each, in order, at the price of one inversion and three multiplications each (Montgomery).

    Raises BadInput if any is zero or not canonical.
    """
    if not scalars:
        return []
    for each in scalars:
        check_scalar(each)
    # running[i] is the product of the first i + 1 scalars.
    running = list(itertools.accumulate(scalars, sodium.scalar_multiply))
    inverse = sodium.scalar_invert(running[-1])
    inverses = [b""] * len(scalars)
    for place in range(len(scalars) - 1, 0, -1):
        inverses[place] = sodium.scalar_multiply(inverse, running[place - 1])
        inverse = sodium.scalar_multiply(inverse, scalars[place])
    inverses[0] = inverse
    return inverses


def random_scalar(random_bytes: Callable[[int], bytes]) -> bytes:
    """A uniform non-zero scalar from 64 random bytes (bias below 2^-259).

    Raises BadInput if the source gives another number of bytes or a multiple of the order, which no sound one does.
    """
    wide = random_bytes(_WIDE_BYTES)
    if len(wide) != _WIDE_BYTES:
        raise BadInput("The source of randomness gave another number of bytes than was asked for.")
    return check_scalar(sodium.scalar_reduce(wide))


def scalar_from_int(value: int) -> bytes:
    """A public whole number, negative too, as a scalar modulo the order. Not for secrets: int is not constant
    time.
    """
    return (value % ORDER).to_bytes(SCALAR_BYTES, "little")


def _canonical(scalar: bytes) -> bytes:
    if len(scalar) != SCALAR_BYTES or int.from_bytes(scalar, "little") >= ORDER:
        raise BadInput(_NO_SCALAR)
    return scalar
