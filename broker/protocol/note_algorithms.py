"""The signature algorithms of notes, by their type byte (C2SP signed-note, tlog-cosignature): one table.

    0x01  Ed25519 of a log, over the note's text
    0x04  Ed25519 of a witness, over a time and the text
    0x06  ML-DSA-44 (FIPS 204) of a witness, over its name, a time, origin, size and root

Rule: whoever signs or verifies looks here and branches on no byte of its own. A known key whose signature does not
verify raises; what an unknown byte means nobody here guesses.

A log signs with Ed25519 alone (`SIGNS_LOGS`). What a second algorithm of logs needs: its byte in `SIGNS_LOGS` (C2SP
tlog-checkpoint names 0x06, with time 0), a private key of that kind in `broker.keys` and `checkpoint.sign`, and another
version of what holds a log's key as 32 raw bytes: `Space`, `LogKeyRotation` and the broker's description.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from broker.protocol.errors import BadInput, VerificationFailed

ED25519 = 0x01
ED25519_COSIGNATURE = 0x04
ML_DSA_44_COSIGNATURE = 0x06
SIGNS_LOGS = frozenset({ED25519})
SIGNS_AS_WITNESS = frozenset({ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE})

PrivateKey = Ed25519PrivateKey | MLDSA44PrivateKey
_SUBTREE_LABEL = b"subtree/v1\n\x00"
_TIME_BYTES = 8
_MAXIMUM_TIME = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Signing:
    """What is signed: a checkpoint's text and what it says, and for a cosignature who cosigns, and when (Unix seconds
    UTC)."""

    text: bytes
    origin: str
    size: int
    root: bytes
    signer: str
    signed_at: int | None = None


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One row: lengths in bytes, whether a time goes before the signature, what is signed, and how it is verified."""

    public_key_bytes: int
    signature_bytes: int
    timed: bool
    message: Callable[[Signing], bytes]
    verify: Callable[[bytes, bytes, bytes], None]
    """Public key, signature, message. Raises InvalidSignature, or ValueError for what is no key."""


def _text(signing: Signing) -> bytes:
    return signing.text


def _timed_text(signing: Signing) -> bytes:
    return f"cosignature/v1\ntime {signing.signed_at}\n".encode() + signing.text


def _subtree(signing: Signing) -> bytes:
    """The `cosigned_message` of tlog-cosignature, of the whole tree; extension lines are not in it."""
    signer, origin = signing.signer.encode(), signing.origin.encode()
    if not (1 <= len(signer) <= 255 and 1 <= len(origin) <= 255):
        raise BadInput("For ML-DSA-44 the names of log and witness have 1 to 255 bytes each.")
    return b"".join(
        (
            _SUBTREE_LABEL,
            bytes([len(signer)]) + signer,
            _number(signing.signed_at or 0),
            bytes([len(origin)]) + origin,
            _number(0) + _number(signing.size),
            signing.root,
        )
    )


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _verify_ed25519(public_key: bytes, signature: bytes, message: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)


def _verify_ml_dsa_44(public_key: bytes, signature: bytes, message: bytes) -> None:
    MLDSA44PublicKey.from_public_bytes(public_key).verify(signature, message)


ALGORITHMS: Mapping[int, Algorithm] = MappingProxyType(
    {
        ED25519: Algorithm(32, 64, False, _text, _verify_ed25519),
        ED25519_COSIGNATURE: Algorithm(32, 64, True, _timed_text, _verify_ed25519),
        ML_DSA_44_COSIGNATURE: Algorithm(1312, 2420, True, _subtree, _verify_ml_dsa_44),
    }
)
"""Every algorithm known here, by its type byte."""


def cosignature_byte(private_key: PrivateKey) -> int:
    """The type byte under which a witness's key cosigns."""
    return ED25519_COSIGNATURE if isinstance(private_key, Ed25519PrivateKey) else ML_DSA_44_COSIGNATURE


def public_key_of(private_key: PrivateKey) -> bytes:
    """The raw public key, as a verifier key carries it."""
    return private_key.public_key().public_bytes_raw()


def signature(algorithm_byte: int, private_key: PrivateKey, signing: Signing) -> bytes:
    """The bytes behind the key id of a signature line. Raises BadInput for a time or name that none may bear."""
    algorithm = ALGORITHMS[algorithm_byte]
    if not algorithm.timed:
        return private_key.sign(algorithm.message(signing))
    if signing.signed_at is None or not 0 <= signing.signed_at <= _MAXIMUM_TIME:
        raise BadInput("A cosignature's time is Unix seconds, not negative.")
    return _number(signing.signed_at) + private_key.sign(algorithm.message(signing))


def verify(algorithm_byte: int, public_key: bytes, signed: bytes, signing: Signing) -> int | None:
    """Check what `signature` made; of `signing` the time is not looked at. Returns the time, None if it has none.

    Raises VerificationFailed."""
    algorithm, signed_at = ALGORITHMS[algorithm_byte], None
    if algorithm.timed:
        signed_at, signed = int.from_bytes(signed[:_TIME_BYTES], "big"), signed[_TIME_BYTES:]
    message = Signing(
        signing.text, signing.origin, signing.size, signing.root, signing.signer, signed_at=signed_at
    )
    try:
        if len(signed) != algorithm.signature_bytes or (signed_at or 0) > _MAXIMUM_TIME:
            raise InvalidSignature
        algorithm.verify(public_key, signed, algorithm.message(message))
    except (InvalidSignature, ValueError, BadInput):
        raise VerificationFailed("A known key's signature on the checkpoint does not verify.") from None
    return signed_at
