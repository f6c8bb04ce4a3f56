"""The oblivious pseudorandom function of RFC 9497, suite ristretto255-SHA512, modes OPRF and VOPRF.

Rule: names and steps are the RFC's; its published vectors pass in both modes, proofs included. Narrowgate uses mode
0x01 (VOPRF) throughout, masking too, since the mode is in the hash's domain separation: one that used 0x00 would
never match and nobody would be told. The one deviation is the DLEQ nonce, which is hedged (DESIGN 2.5): drawn from
the key, 32 random bytes and the transcript, so that a weak source of randomness does not give the key away.

It knows nothing of shares: `broker.protocol.quorum` evaluates under a folded share with these functions.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from broker.protocol import group
from broker.protocol.errors import BadInput, VerificationFailed


class Mode(IntEnum):
    """The protocol variants of RFC 9497 3.1 in use here."""

    OPRF = 0x00
    VOPRF = 0x01


OPRF = Mode.OPRF
VOPRF = Mode.VOPRF
OUTPUT_BYTES = 64
PROOF_BYTES = 64
MAXIMUM_INPUT_BYTES = 2**16 - 1
CHUNK_ELEMENTS = 4096
"""The most elements one proof covers. RFC 9497 2.2.1 counts them with 16 bits; this stays well inside."""

_CONTEXT = {mode: b"OPRFV1-" + bytes([mode]) + b"-ristretto255-SHA512" for mode in Mode}
_HASH_TO_GROUP = {mode: b"HashToGroup-" + context for mode, context in _CONTEXT.items()}
_DERIVE_KEY_PAIR = {mode: b"DeriveKeyPair" + context for mode, context in _CONTEXT.items()}
_HASH_TO_SCALAR = b"HashToScalar-" + _CONTEXT[VOPRF]  # proofs exist in the verifiable mode alone
_SEED = b"Seed-" + _CONTEXT[VOPRF]
_NONCE = b"narrowgate/v1/dleq-nonce"
_NONCE_RANDOM_BYTES = 32
_U16_ELEMENT = group.ELEMENT_BYTES.to_bytes(2, "big")
_TAIL = b"Finalize"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A secret scalar and its public element, 32 bytes each."""

    secret_key: bytes = field(repr=False)
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Blinded:
    """The client's secret scalar and the element it sends."""

    blind: bytes = field(repr=False)
    blinded_element: bytes


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Evaluated elements in the order asked, and one proof (c || s, 64 bytes) over all of them."""

    elements: tuple[bytes, ...]
    proof: bytes


class _Composites(NamedTuple):
    """M and Z of RFC 9497 2.2.1, and the transcript's part before the commitments."""

    m: bytes
    z: bytes
    transcript: bytes


def derive_key_pair(seed: bytes, info: bytes, mode: Mode = VOPRF) -> KeyPair:
    """DeriveKeyPair of RFC 9497 3.2.1, for test vectors: series keys are drawn uniformly, not derived.

    Raises BadInput unless seed has 32 bytes and info at most 65,535.
    """
    if len(seed) != 32:
        raise BadInput("A key is derived from a seed of 32 bytes.")
    derive_input = seed + _prefixed(info)
    for counter in range(256):
        secret = group.hash_to_scalar(derive_input + bytes([counter]), _DERIVE_KEY_PAIR[mode])
        if any(secret):
            return KeyPair(secret, group.multiply_base(secret))
    raise BadInput("No key can be derived from this seed. Draw another.")


def hash_input(input: bytes, mode: Mode = VOPRF) -> bytes:
    """HashToGroup of the suite: the element that stands for an input. Raises BadInput."""
    return group.hash_to_group(input, _HASH_TO_GROUP[mode])


def blind(input: bytes, random_bytes: Callable[[int], bytes], mode: Mode = VOPRF) -> Blinded:
    """Blind of RFC 9497 3.3.1 with a fresh scalar. Raises BadInput."""
    return blind_with(input, group.random_scalar(random_bytes), mode)


def blind_with(input: bytes, scalar: bytes, mode: Mode = VOPRF) -> Blinded:
    """`blind` with a scalar already drawn: for vectors, and to open B = r * P before an auditor (DESIGN 2.8).

    A scalar that served twice lets the evaluator link the two elements. Raises BadInput.
    """
    return Blinded(scalar, group.multiply(scalar, hash_input(input, mode)))


def blind_many(
    inputs: Sequence[bytes], random_bytes: Callable[[int], bytes], mode: Mode = VOPRF
) -> list[Blinded]:
    """`blind` for each input in order, each with a scalar of its own. Raises BadInput."""
    return [blind(each, random_bytes, mode) for each in inputs]


def blind_evaluate(
    secret_key: bytes,
    public_key: bytes,
    blinded_elements: Sequence[bytes],
    random_bytes: Callable[[int], bytes],
) -> Evaluation:
    """BlindEvaluate of RFC 9497 3.3.2 in mode VOPRF: 1 to 4,096 elements and one proof, with the hedged nonce.

    Raises BadInput for an element that is not canonical or the identity, or too many of them.
    """

    def hedged(transcript: bytes) -> bytes:
        randomness = random_bytes(_NONCE_RANDOM_BYTES)
        if len(randomness) != _NONCE_RANDOM_BYTES:
            raise BadInput("The source of randomness gave another number of bytes than was asked for.")
        return group.hash_to_scalar(secret_key + randomness + transcript, _NONCE)

    elements = blind_evaluate_unverified(secret_key, blinded_elements)
    proof = generate_proof(secret_key, public_key, blinded_elements, elements, hedged)
    return Evaluation(elements, proof)


def blind_evaluate_unverified(secret_key: bytes, blinded_elements: Sequence[bytes]) -> tuple[bytes, ...]:
    """BlindEvaluate of RFC 9497 3.3.1 in mode OPRF: k * B for 1 to 4,096 elements, no proof. Raises BadInput."""
    _check_count(blinded_elements)
    return tuple(group.multiply(secret_key, each) for each in blinded_elements)


def generate_proof(
    secret_key: bytes,
    public_key: bytes,
    blinded_elements: Sequence[bytes],
    evaluated_elements: Sequence[bytes],
    draw_nonce: Callable[[bytes], bytes],
) -> bytes:
    """GenerateProof of RFC 9497 2.2.1. `draw_nonce` gets the transcript and returns the scalar r.

    Two transcripts proved with one r give away the key: use `blind_evaluate`, except on vectors. Raises BadInput.
    """
    composites = _composites(public_key, blinded_elements, evaluated_elements, secret_key)
    r = draw_nonce(composites.transcript)
    c = _challenge(composites, group.multiply_base(r), group.multiply(r, composites.m))
    return c + group.scalar_subtract(r, group.scalar_multiply(c, secret_key))


def verify_proof(
    public_key: bytes, blinded_elements: Sequence[bytes], evaluated_elements: Sequence[bytes], proof: bytes
) -> None:
    """VerifyProof of RFC 9497 2.2.2: all elements were evaluated with the one key behind `public_key`.

    Raises BadInput if 0 or more than 4,096 elements were blinded, and VerificationFailed for everything else,
    points that are none among it.
    """
    _check_count(blinded_elements)
    failed = VerificationFailed("The proof of evaluation does not verify. Use nothing of this answer.")
    if len(evaluated_elements) != len(blinded_elements) or len(proof) != PROOF_BYTES:
        raise failed
    c, s = proof[: group.SCALAR_BYTES], proof[group.SCALAR_BYTES :]
    try:
        composites = _composites(public_key, blinded_elements, evaluated_elements, None)
        t2 = group.add(group.multiply_base(s), group.multiply(c, public_key))
        t3 = group.add(group.multiply(s, composites.m), group.multiply(c, composites.z))
    except BadInput:
        raise failed from None
    if _challenge(composites, t2, t3) != c:
        raise failed


def finalize(input: bytes, blind: bytes, evaluated_element: bytes) -> bytes:
    """Finalize of RFC 9497 3.3.1, the same in both modes: the 64-byte output. Verify the proof first.

    Raises BadInput.
    """
    return output(input, group.multiply(group.scalar_invert(blind), evaluated_element))


def finalize_batch(
    inputs: Sequence[bytes], blinds: Sequence[bytes], evaluated_elements: Sequence[bytes]
) -> list[bytes]:
    """`finalize` for each place, with one inversion for all blinds. Raises BadInput, also if lengths differ."""
    if not len(inputs) == len(blinds) == len(evaluated_elements):
        raise BadInput("To finalize, as many inputs as blinds and evaluated elements are needed.")
    inverses = group.scalar_invert_batch(blinds)
    return [
        output(input, group.multiply(inverse, element))
        for input, inverse, element in zip(inputs, inverses, evaluated_elements, strict=True)
    ]


def evaluate(secret_key: bytes, input: bytes, mode: Mode = VOPRF) -> bytes:
    """Evaluate of RFC 9497 3.3.2: the 64-byte output, by whoever has both key and input. Raises BadInput."""
    return output(input, group.multiply(secret_key, hash_input(input, mode)))


def output(input: bytes, element: bytes) -> bytes:
    """The last step of Finalize and Evaluate: SHA-512 over input and unblinded element. Raises BadInput for an
    input above 65,535 bytes; the element must come from `group`.
    """
    return hashlib.sha512(b"".join((_prefixed(input), _U16_ELEMENT, element, _TAIL))).digest()


def _composites(
    public_key: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], secret_key: bytes | None
) -> _Composites:
    """ComputeComposites, or with the secret key ComputeCompositesFast (RFC 9497 2.2.1, 2.2.2)."""
    _check_count(blinded)
    prefixed_key = _prefixed(public_key)
    seed = _prefixed(hashlib.sha512(prefixed_key + _prefixed(_SEED)).digest())
    m = z = group.IDENTITY
    for i, (c_i, d_i) in enumerate(zip(blinded, evaluated, strict=True)):
        transcript = b"".join(
            (seed, i.to_bytes(2, "big"), _U16_ELEMENT, c_i, _U16_ELEMENT, d_i, b"Composite")
        )
        weight = group.hash_to_scalar(transcript, _HASH_TO_SCALAR)
        m = group.add(m, group.multiply(weight, c_i))
        if secret_key is None:
            z = group.add(z, group.multiply(weight, d_i))
    if secret_key is not None:
        z = group.multiply(secret_key, m)
    return _Composites(m, z, prefixed_key + _U16_ELEMENT + m + _U16_ELEMENT + z)


def _challenge(composites: _Composites, t2: bytes, t3: bytes) -> bytes:
    transcript = b"".join((composites.transcript, _U16_ELEMENT, t2, _U16_ELEMENT, t3, b"Challenge"))
    return group.hash_to_scalar(transcript, _HASH_TO_SCALAR)


def _check_count(elements: Sequence[bytes]) -> None:
    if not 1 <= len(elements) <= CHUNK_ELEMENTS:
        raise BadInput("One evaluation takes 1 to 4,096 elements. Send more as several chunks.")


def _prefixed(data: bytes) -> bytes:
    """I2OSP(len(data), 2) || data. Raises BadInput where two bytes cannot count it."""
    if len(data) > MAXIMUM_INPUT_BYTES:
        raise BadInput("An input of the pseudorandom function has at most 65,535 bytes.")
    return len(data).to_bytes(2, "big") + data
