"""What every step of the broker is given: database, log, rule bundle, keys, settings, clock and randomness.

Rule: one frozen value, built once at start (`broker.startup`) and passed to each function, so that no module reads a
clock, a file or a global of its own (STYLE: time and randomness are arguments). It holds no state of a request.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.audit.log import AuditLog
from broker.gate.bundle import Bundle
from broker.protocol.documents import public_bytes
from broker.protocol.messages.base import RandomBytes
from broker.settings import Settings
from broker.store.database import Database

Clock = Callable[[], int]
"""Unix seconds, UTC."""


@dataclass(frozen=True)
class BrokerKeys:
    """The broker's secrets: it signs permits and disclosures, its log's checkpoints, and draws noise of counts."""

    signing_key: Ed25519PrivateKey = field(repr=False)
    log_key: Ed25519PrivateKey = field(repr=False)
    count_key: bytes = field(repr=False)

    @property
    def signing_public(self) -> bytes:
        """The 32 raw bytes under which permits and disclosures verify."""
        return public_bytes(self.signing_key)

    @property
    def log_public(self) -> bytes:
        """The 32 raw bytes under which checkpoints verify."""
        return public_bytes(self.log_key)


@dataclass(frozen=True)
class Broker:
    """One running broker."""

    database: Database
    audit: AuditLog
    bundle: Bundle
    keys: BrokerKeys
    settings: Settings
    clock: Clock
    random_bytes: RandomBytes
