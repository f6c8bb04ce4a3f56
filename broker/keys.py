"""The broker's three secrets, and a fourth while the log's key is changed.

Rule: they have no repr and travel in no message; `broker.folder` reads them from a file for their owner alone.
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol.documents import public_bytes


@dataclass(frozen=True)
class BrokerKeys:
    """The broker's secrets: it signs permits and disclosures, its log's checkpoints, and draws noise of counts."""

    signing_key: Ed25519PrivateKey = field(repr=False)
    log_key: Ed25519PrivateKey = field(repr=False)
    count_key: bytes = field(repr=False)
    next_log_key: Ed25519PrivateKey | None = field(default=None, repr=False)
    """The key that the log is being changed to; from the entry that says so, both sign (`broker.log_rotation`)."""

    @property
    def signing_public(self) -> bytes:
        """The 32 raw bytes under which permits and disclosures verify."""
        return public_bytes(self.signing_key)

    @property
    def log_public(self) -> bytes:
        """The 32 raw bytes under which checkpoints verify."""
        return public_bytes(self.log_key)
