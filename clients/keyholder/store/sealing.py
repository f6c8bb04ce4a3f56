"""Sealing shares and prekeys at rest: ChaCha20-Poly1305 (RFC 8439) under the storage key.

Rule: the associated data says what is sealed, for whom and where it belongs, so that a sealed row put in another's
place does not open. A sealed value is `nonce (12) || ciphertext || tag (16)` with a random nonce.

It keeps nothing and reads no file; the storage key is in `clients.keyholder.keys`.
"""

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.base import RandomBytes
from broker.protocol.shares import Share

STORAGE_KEY_BYTES = 32
_NONCE_BYTES = 12
_SCALAR_BYTES = 32


@dataclass(frozen=True)
class SharePair:
    """The two shares of one series, at the same abscissa."""

    match: Share
    open: Share


@dataclass(frozen=True)
class StorageKey:
    """The key under which everything secret in the database is sealed. 32 bytes."""

    key: bytes = field(repr=False)

    def seal_shares(
        self, pair: SharePair, series_id: bytes, holder_id: str, random_bytes: RandomBytes
    ) -> bytes:
        """Both shares as one sealed value."""
        context = _share_context(series_id, holder_id, pair.match.x)
        return self._seal(pair.match.value + pair.open.value, context, random_bytes)

    def open_shares(self, sealed: bytes, series_id: bytes, holder_id: str, x: int) -> SharePair:
        """The inverse of `seal_shares`. Raises VerificationFailed if the row is damaged or another's."""
        values = self._open(sealed, _share_context(series_id, holder_id, x))
        return SharePair(Share(x, values[:_SCALAR_BYTES]), Share(x, values[_SCALAR_BYTES:]))

    def seal_prekey(self, private: bytes, prekey_id: bytes, random_bytes: RandomBytes) -> bytes:
        """The private part of a prekey as a sealed value."""
        return self._seal(private, _prekey_context(prekey_id), random_bytes)

    def open_prekey(self, sealed: bytes, prekey_id: bytes) -> bytes:
        """The inverse of `seal_prekey`. Raises VerificationFailed if the row is damaged or another's."""
        return self._open(sealed, _prekey_context(prekey_id))

    def _seal(self, secret: bytes, context: bytes, random_bytes: RandomBytes) -> bytes:
        nonce = random_bytes(_NONCE_BYTES)
        return nonce + ChaCha20Poly1305(self.key).encrypt(nonce, secret, context)

    def _open(self, sealed: bytes, context: bytes) -> bytes:
        try:
            return ChaCha20Poly1305(self.key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError) as error:
            raise VerificationFailed(
                "A sealed row of the key holder's database does not open. Restore the folder from a backup."
            ) from error


def _share_context(series_id: bytes, holder_id: str, x: int) -> bytes:
    return b"narrowgate/v1/keyholder-share\x00" + series_id + bytes([x]) + holder_id.encode()


def _prekey_context(prekey_id: bytes) -> bytes:
    return b"narrowgate/v1/keyholder-prekey\x00" + prekey_id
