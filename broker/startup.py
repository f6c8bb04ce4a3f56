"""Start a broker: database, schema, log, rules; refuse to serve when anything is not as it should be.

Rule (AUDIT 3): the log is derived again before anything is served; another bundle than last time is logged before the
first decision under it. Witnesses come with a later release, so for now only a trial that says so may start.
"""

from broker.audit.log import AuditLog
from broker.audit.records import BundleActivated
from broker.context import Broker, BrokerKeys, Clock
from broker.gate.bundle import Bundle
from broker.protocol.errors import NotPermitted
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.vocabulary import RecordKind
from broker.settings import Settings
from broker.store import activations, migrate
from broker.store.database import Database


def start(
    settings: Settings, keys: BrokerKeys, bundle: Bundle, clock: Clock, random_bytes: RandomBytes
) -> Broker:
    """A broker that is ready to serve. The caller closes it with `stop`.

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
        broker = Broker(database, audit, bundle, keys, settings, clock, random_bytes)
        with database.read() as connection:
            audit.start(connection)
        _activate_bundle(broker)
    except BaseException:
        database.close()
        raise
    return broker


def stop(broker: Broker) -> None:
    """Give the database up."""
    broker.database.close()


def _activate_bundle(broker: Broker) -> None:
    now = broker.clock()
    with broker.database.write() as connection:
        activations.lock(connection)
        previous = activations.newest(connection)
        if previous == broker.bundle.digest:
            return
        record = BundleActivated(bundle_digest=broker.bundle.digest, previous_digest=previous)
        receipt = broker.audit.append(connection, RecordKind.BUNDLE_ACTIVATED, record, now)
        activations.add(connection, broker.bundle.digest, now, receipt.proof.index)
