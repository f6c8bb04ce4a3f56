"""The broker's log as its witnesses are shown it (`broker.translog.cosigning` asks them).

Rule: what each witness saw last is kept in the database, so that a restart, or another broker on it, goes on from
there. No transaction is open between two calls. It decides nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from broker.audit.log import AuditLog
from broker.protocol.checkpoint import VerifierKey
from broker.store import witnesses as rows
from broker.store.database import Database
from broker.translog.cosigning import Ask, SignedHead, WitnessAt, Witnesses


class BrokerLog:
    """Implements `broker.translog.cosigning.WitnessedLog`."""

    def __init__(self, database: Database, audit: AuditLog, clock: Callable[[], int]) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    @property
    def verifier_key(self) -> VerifierKey:
        """See `WitnessedLog.verifier_key`."""
        return self._audit.verifier_key

    def head(self) -> SignedHead:
        """See `WitnessedLog.head`."""
        with self._database.read() as connection:
            return self._audit.checkpoint(connection)

    def path(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """See `WitnessedLog.path`."""
        with self._database.read() as connection:
            return self._audit.consistency(connection, old_size, new_size).path

    def seen(self) -> Mapping[str, int]:
        """See `WitnessedLog.seen`."""
        with self._database.read() as connection:
            return rows.sizes(connection)

    def keep_seen(self, witnesses: Sequence[str], size: int) -> None:
        """See `WitnessedLog.keep_seen`."""
        with self._database.write() as connection:
            rows.keep(connection, tuple(witnesses), size, self._clock())

    def refuse(self, why: str) -> None:
        """See `WitnessedLog.refuse`."""
        self._audit.refuse(why)

    def check_not_refused(self) -> None:
        """See `WitnessedLog.check_not_refused`."""
        self._audit.check_not_refused()

    def tell_operator(self, witness: str, reason: str) -> None:
        """See `WitnessedLog.tell_operator`."""
        structlog.get_logger("narrowgate.broker").warning("witness", witness=witness, not_cosigned=reason)


def witnesses_of(
    database: Database,
    audit: AuditLog,
    witnesses: Sequence[WitnessAt],
    quorum: int,
    ask: Ask,
    clock: Callable[[], int],
    timeout_seconds: int,
    close: Callable[[], None] = lambda: None,
) -> Witnesses:
    """The witnesses of the broker's log; arguments as of `Witnesses`."""
    log = BrokerLog(database, audit, clock)
    return Witnesses(log, witnesses, quorum, ask, time.monotonic, timeout_seconds, close)
