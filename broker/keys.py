"""The broker's three secrets, and a fourth while the log's key is changed.

Rule: they have no repr and travel in no message; `broker.folder` reads them from a file for their owner alone.
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker.protocol import wrapping
from broker.protocol.carried import CarryKey
from broker.protocol.documents import public_bytes, sign


@dataclass(frozen=True)
class BrokerKeys:
    """The broker's secrets: it signs permits and disclosures, its log's checkpoints, and draws noise of counts."""

    signing_key: Ed25519PrivateKey = field(repr=False)
    log_key: Ed25519PrivateKey = field(repr=False)
    count_key: bytes = field(repr=False)
    next_log_key: Ed25519PrivateKey | None = field(default=None, repr=False)
    """The key that the log is being changed to; from its entry on both sign (`broker.translog.key_change`)."""

    @property
    def signing_public(self) -> bytes:
        """The 32 raw bytes under which permits and disclosures verify."""
        return public_bytes(self.signing_key)

    @property
    def log_public(self) -> bytes:
        """The 32 raw bytes under which checkpoints verify."""
        return public_bytes(self.log_key)

    @property
    def carry(self) -> wrapping.WrappingKeyPair:
        """What bundles to this broker are sealed to (HKDF of the signing seed: no fourth file to back up)."""
        info = b"narrowgate/v1/carry-key"
        hkdf = HKDF(algorithm=SHA512(), length=wrapping.PRIVATE_BYTES, salt=None, info=info)
        private = hkdf.derive(self.signing_key.private_bytes_raw())
        return wrapping.WrappingKeyPair(private, wrapping.public_of(private))


def carry_key_document(public_origin: str, keys: BrokerKeys) -> str:
    """The key that bundles to this broker are sealed to, signed, to hand out."""
    statement = CarryKey(origin=public_origin, wrapping_key=keys.carry.public)
    return sign(statement, keys.signing_key).document
