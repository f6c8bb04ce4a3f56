"""What every step of the broker is given: database, log, rules and earlier rules, keys, settings, clock and randomness.

Rule: one frozen value, built once at start (`broker.startup`) and passed to each function, so that no module reads a
clock, a file or a global of its own (STYLE: time and randomness are arguments). It holds no state of a request.
"""

from collections.abc import Callable
from dataclasses import dataclass

from broker.audit.log import AuditLog
from broker.gate.bundle import Bundle
from broker.gate.shelf import BundleShelf
from broker.keys import BrokerKeys
from broker.protocol.messages.base import RandomBytes
from broker.settings import Settings
from broker.store.database import Database
from broker.translog.cosigning import Witnesses

__all__ = ["Broker", "BrokerKeys", "Clock"]

Clock = Callable[[], int]
"""Unix seconds, UTC."""


@dataclass(frozen=True)
class Broker:
    """One running broker."""

    database: Database
    audit: AuditLog
    witnesses: Witnesses
    bundle: Bundle
    """What was in force when this broker started; `broker.rules` says whether it still is."""
    shelf: BundleShelf
    keys: BrokerKeys
    settings: Settings
    clock: Clock
    random_bytes: RandomBytes
