"""Sealed records: one identifier's signals, padded to a class of size and encrypted under its own key.

    sealed = nonce (12) || ChaCha20-Poly1305(key, nonce, padded, binding)              RFC 8439, DESIGN 2.3
    padded = u32 length || plaintext || zeros up to the class
    binding (the AAD) = label 00 || space (16) || deposit (32) || token (16) || u32 record version || u32 class

Rule: every record of a deposit has one length, so that a length tells nothing. The binding's fields have fixed sizes,
so no two read alike, and a record moved to another token, deposit or version does not open. Numbers are big-endian.

What the plaintext says is the contributor's; where the key comes from is `broker.protocol.tokens`.
"""

import hashlib
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.tokens import DEPOSIT_ID_BYTES, SEAL_KEY_BYTES, SPACE_ID_BYTES, TOKEN_BYTES

SIZE_CLASSES = (512, 2048, 8192, 32768)
"""Bytes of padded plaintext, the length prefix of 4 included. Anything larger is refused."""

LENGTH_BYTES = 4
NONCE_BYTES = 12
TAG_BYTES = 16
MAXIMUM_RECORD_VERSION = 2**32 - 1

_LABEL = b"narrowgate/v1/record\x00"


def sealed_bytes(size_class: int) -> int:
    """Length of every sealed record of a class. Raises BadInput for a class that is none."""
    return NONCE_BYTES + _check_class(size_class) + TAG_BYTES


def seal(
    key: bytes,
    plaintext: bytes,
    *,
    space_id: bytes,
    deposit_id: bytes,
    token: bytes,
    record_version: int,
    size_class: int,
    random_bytes: Callable[[int], bytes],
) -> bytes:
    """Returns nonce || ciphertext of one record, `sealed_bytes(size_class)` long.

    Raises BadInput for a key, id or number of the wrong size, or a plaintext that the class cannot hold.
    """
    binding = _binding(space_id, deposit_id, token, record_version, size_class)
    if len(plaintext) > size_class - LENGTH_BYTES:
        raise BadInput("A record does not fit its deposit's size class. Choose a larger class or shorten it.")
    padded = (len(plaintext).to_bytes(LENGTH_BYTES, "big") + plaintext).ljust(size_class, b"\x00")
    nonce = random_bytes(NONCE_BYTES)
    if len(nonce) != NONCE_BYTES:
        raise BadInput("The source of randomness gave another number of bytes than was asked for.")
    return nonce + _cipher(key).encrypt(nonce, padded, binding)


def open_sealed(
    key: bytes,
    sealed: bytes,
    *,
    space_id: bytes,
    deposit_id: bytes,
    token: bytes,
    record_version: int,
    size_class: int,
) -> bytes:
    """Returns the plaintext of a record sealed under the same key and binding.

    Raises VerificationFailed if it was not, and BadInput for a key, id or number of the wrong size.
    """
    binding = _binding(space_id, deposit_id, token, record_version, size_class)
    failed = VerificationFailed(
        "The sealed record does not open: other key, other place, or altered on the way."
    )
    if len(sealed) != sealed_bytes(size_class):
        raise failed
    try:
        padded = _cipher(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], binding)
    except InvalidTag:
        raise failed from None
    end = LENGTH_BYTES + int.from_bytes(padded[:LENGTH_BYTES], "big")
    # One form only: room for a hidden message in the padding would be room for a leak.
    if end > size_class or any(padded[end:]):
        raise VerificationFailed("The sealed record was padded by no rule of this protocol and is not used.")
    return padded[LENGTH_BYTES:end]


def record_leaf(token: bytes, sealed: bytes, record_version: int) -> bytes:
    """A record's leaf in its deposit's root (RFC 6962): token || SHA-256(sealed) || u32 version, 52 bytes.

    Raises BadInput for a token or version of the wrong size.
    """
    if len(token) != TOKEN_BYTES:
        raise BadInput("A token has 16 bytes.")
    return token + hashlib.sha256(sealed).digest() + _version(record_version)


def _binding(space_id: bytes, deposit_id: bytes, token: bytes, record_version: int, size_class: int) -> bytes:
    if (len(space_id), len(deposit_id), len(token)) != (SPACE_ID_BYTES, DEPOSIT_ID_BYTES, TOKEN_BYTES):
        raise BadInput("Space ids and tokens have 16 bytes, deposit ids 32.")
    numbers = _version(record_version) + _check_class(size_class).to_bytes(4, "big")
    return b"".join((_LABEL, space_id, deposit_id, token, numbers))


def _version(record_version: int) -> bytes:
    if not 0 <= record_version <= MAXIMUM_RECORD_VERSION:
        raise BadInput("A record's version is a whole number of at most 32 bits.")
    return record_version.to_bytes(4, "big")


def _check_class(size_class: int) -> int:
    if size_class not in SIZE_CLASSES:
        raise BadInput("A size class is 512, 2048, 8192 or 32768 bytes.")
    return size_class


def _cipher(key: bytes) -> ChaCha20Poly1305:
    if len(key) != SEAL_KEY_BYTES:
        raise BadInput("A record's key has 32 bytes.")
    return ChaCha20Poly1305(key)
