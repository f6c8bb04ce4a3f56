"""Start a broker: database, schema, log, rules; refuse to serve when anything is not as it should be.

Rule (AUDIT 3): the log is derived again before anything is served, and only rules that it says are in force are served
by. Putting them in force is `broker.activation`'s, a step of its own, which is done here too, without serving.
Witnesses come with a later release, so for now only a trial that says so may start.
"""

from dataclasses import dataclass
from pathlib import Path

from broker import activation
from broker.activation import Activation
from broker.audit.log import AuditLog
from broker.context import Broker, BrokerKeys, Clock
from broker.gate.officers import PinnedOfficers
from broker.gate.shelf import BundleShelf
from broker.protocol.errors import NotPermitted
from broker.protocol.messages.base import RandomBytes
from broker.settings import Settings
from broker.store import migrate
from broker.store.database import Database


@dataclass(frozen=True)
class Opened:
    """A database at the present schema, and its log, derived again; nothing is served of it yet."""

    database: Database
    audit: AuditLog


def open_checked(settings: Settings, keys: BrokerKeys, random_bytes: RandomBytes) -> Opened:
    """The broker's database, which the caller closes.

    Raises NotPermitted (no trial), Conflict (another process owns the database, or a newer release wrote it) or
    Unavailable (the log is damaged, or the database is not durable)."""
    if not settings.trial:
        raise NotPermitted(
            "This release has no witnesses yet, and a log without witnesses is only a trial. Start it with --trial; "
            "every permit, receipt and disclosure then says so."
        )
    database = Database(settings.database_url)
    try:
        migrate.upgrade(database)
        audit = AuditLog(settings.log_origin, keys.log_key, random_bytes, settings.trial)
        with database.read() as connection:
            audit.start(connection)
    except BaseException:
        database.close()
        raise
    return Opened(database, audit)


def start(
    settings: Settings, keys: BrokerKeys, shelf: BundleShelf, clock: Clock, random_bytes: RandomBytes
) -> Broker:
    """A broker that is ready to serve. The caller closes it with `stop`. Errors as `open_checked` and `ready`."""
    return ready(open_checked(settings, keys, random_bytes), settings, keys, shelf, clock, random_bytes)


def ready(
    opened: Opened,
    settings: Settings,
    keys: BrokerKeys,
    shelf: BundleShelf,
    clock: Clock,
    random_bytes: RandomBytes,
) -> Broker:
    """A broker that serves by the rules in force; the database is closed if there is none.

    Raises Conflict (no rules are in force), or NotFound or VerificationFailed (the shelf has no true copy of them)."""
    try:
        with opened.database.read() as connection:
            bundle = activation.bundle_in_force(connection, opened.audit, shelf)
    except BaseException:
        opened.database.close()
        raise
    return Broker(opened.database, opened.audit, bundle, shelf, keys, settings, clock, random_bytes)


def activate(
    settings: Settings,
    keys: BrokerKeys,
    shelf: BundleShelf,
    officers: PinnedOfficers,
    source: Path,
    clock: Clock,
    random_bytes: RandomBytes,
) -> Activation:
    """Put the bundle in `source` in force; nothing is served. Errors as `open_checked` and `activation.activate`."""
    opened = open_checked(settings, keys, random_bytes)
    try:
        return activation.activate(opened.database, opened.audit, shelf, officers, source, clock())
    finally:
        opened.database.close()


def stop(broker: Broker) -> None:
    """Give the database up."""
    broker.database.close()
