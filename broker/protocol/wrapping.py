"""Wrapping secrets to one recipient: HPKE (RFC 9180) over ML-KEM-768 with X25519.

Rule: suite MLKEM768-X25519, HKDF-SHA256, ChaCha20-Poly1305, base mode. The library offers `info` and no associated
data, so all that a wrapped secret is bound to stands in `info`: read under another, it does not open. Each `info` is a
label, 00, and fields of fixed size or with their length before them.

The library's hybrid key cannot be written down, so a key is kept as its parts: public = ML-KEM-768 encapsulation key
(1,184 bytes) || X25519 (32), private = ML-KEM seed (64) || X25519 (32). Base mode does not say who wrapped: whatever
carries a wrapped secret is signed besides. ML-KEM guards what is wrapped here; shares have public commitments on an
elliptic curve, so nothing more is claimed for them.
"""

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from broker.protocol.errors import BadInput, VerificationFailed

MLKEM_PUBLIC_BYTES = 1184
MLKEM_SEED_BYTES = 64
X25519_BYTES = 32
PUBLIC_BYTES = MLKEM_PUBLIC_BYTES + X25519_BYTES
PRIVATE_BYTES = MLKEM_SEED_BYTES + X25519_BYTES
OVERHEAD_BYTES = 1088 + 32 + 16
"""What wrapping adds: ML-KEM ciphertext, ephemeral X25519 key, tag of the cipher."""

_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True, slots=True)
class WrappingKeyPair:
    """A recipient's keys as bytes: 96 private, 1,216 public."""

    private: bytes = field(repr=False)
    public: bytes


def generate_key_pair() -> WrappingKeyPair:
    """A fresh pair from the library's own randomness, since ML-KEM's key generation takes no other."""
    mlkem, x25519 = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
    return WrappingKeyPair(
        mlkem.private_bytes_raw() + x25519.private_bytes_raw(),
        mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw(),
    )


def public_of(private: bytes) -> bytes:
    """The public key that belongs to 96 private bytes. Raises BadInput for another length."""
    mlkem, x25519 = _private_parts(private)
    return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def wrap(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Encrypts to a public key under `info`; OVERHEAD_BYTES longer than the plaintext.

    Raises BadInput if the public key is none.
    """
    if len(public) != PUBLIC_BYTES:
        raise BadInput("A wrapping key has 1,216 bytes. Ask its owner for the enrolment document again.")
    try:
        key = hpke.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public[:MLKEM_PUBLIC_BYTES]),
            X25519PublicKey.from_public_bytes(public[MLKEM_PUBLIC_BYTES:]),
        )
        return _SUITE.encrypt(plaintext, key, info)
    except ValueError:
        raise BadInput(
            "A wrapping key is not valid. Ask its owner for the enrolment document again."
        ) from None


def unwrap(private: bytes, wrapped: bytes, info: bytes) -> bytes:
    """Decrypts what was wrapped to this key under the same `info`.

    Raises VerificationFailed if it was not, and BadInput if the private key has another length.
    """
    key = hpke.MLKEM768X25519PrivateKey(*_private_parts(private))
    try:
        return _SUITE.decrypt(wrapped, key, info)
    except (InvalidTag, ValueError):
        raise VerificationFailed(
            "What was wrapped does not open: it is for another key or another purpose, or was altered."
        ) from None


def share_info(series_id: bytes, holder_id: str, x: int) -> bytes:
    """For a holder's share: whose it is, of which series, at which abscissa (DESIGN 2.2). Raises BadInput."""
    _check_length(series_id, 32)
    if not 1 <= x <= 0xFFFF:
        raise BadInput("A holder's place in the roster is a small positive number.")
    return b"narrowgate/v1/share\x00" + series_id + _prefixed(holder_id) + x.to_bytes(2, "big")


def salt_info(space_id: bytes, salt_id: bytes, recipient_kid: str) -> bytes:
    """For a space's salt: of which space, which salt, for whose key (DESIGN 2.1). Raises BadInput."""
    _check_length(space_id, 16)
    _check_length(salt_id, 32)
    return b"narrowgate/v1/salt\x00" + space_id + salt_id + _prefixed(recipient_kid)


def facts_info(permit_id: bytes, holder_id: str) -> bytes:
    """For a decision's facts: under which permit, for which holder. Raises BadInput."""
    _check_length(permit_id, 16)
    return b"narrowgate/v1/facts\x00" + permit_id + _prefixed(holder_id)


def draw_info(order_digest: bytes) -> bytes:
    """For what a requester opens before an auditor: under which signed order (DESIGN 2.8). Raises BadInput."""
    _check_length(order_digest, 32)
    return b"narrowgate/v1/draw\x00" + order_digest


def _private_parts(private: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    if len(private) != PRIVATE_BYTES:
        raise BadInput("A private wrapping key has 96 bytes. The key file is damaged or another's.")
    return (
        MLKEM768PrivateKey.from_seed_bytes(private[:MLKEM_SEED_BYTES]),
        X25519PrivateKey.from_private_bytes(private[MLKEM_SEED_BYTES:]),
    )


def _prefixed(name: str) -> bytes:
    encoded = name.encode("utf-8")
    if len(encoded) > 0xFFFF:
        raise BadInput("A name is too long to bind a secret to.")
    return len(encoded).to_bytes(2, "big") + encoded


def _check_length(value: bytes, size: int) -> None:
    if len(value) != size:
        raise BadInput(f"An id that a secret is bound to has {size} bytes here.")
