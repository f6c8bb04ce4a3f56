"""Start a broker: database, schema, log, rules; refuse to serve when anything is not as it should be.

Rule (AUDIT 3): the log is derived again before anything is served; another bundle than last time is logged before the
first decision under it. Every witness is shown the log before it is served; without witnesses only a trial that says
so may start.
"""

from broker.audit.log import AuditLog
from broker.audit.records import BundleActivated
from broker.audit.witness_calls import over_http
from broker.audit.witnesses import Answer, Ask, WitnessAt, Witnesses
from broker.context import Broker, BrokerKeys, Clock
from broker.gate.bundle import Bundle
from broker.protocol.errors import NotPermitted, Unavailable
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.parties import read_witness_key
from broker.protocol.messages.vocabulary import RecordKind
from broker.settings import Settings
from broker.store import activations, migrate
from broker.store.database import Database


def start(
    settings: Settings,
    keys: BrokerKeys,
    bundle: Bundle,
    clock: Clock,
    random_bytes: RandomBytes,
    ask: Ask | None = None,
) -> Broker:
    """A broker that is ready to serve. The caller closes it with `stop`.

    `ask` carries calls to witnesses; over HTTP unless a test says otherwise.

    Raises NotPermitted (neither witnesses nor a trial), Conflict (another process owns the database, or a newer release
    wrote it) or Unavailable (the log is damaged or not the one that witnesses saw, too few of them answer, or the
    database is not durable)."""
    if not settings.trial and not settings.witness_quorum:
        raise NotPermitted(
            "No witness is configured, and a log without witnesses is only a trial. Name witnesses and witness_quorum "
            "in settings.toml, or start with --trial: every permit, receipt and disclosure then says so."
        )
    database = Database(settings.database_url)
    try:
        migrate.upgrade(database)
        audit = AuditLog(settings.log_origin, keys.log_key, random_bytes, settings.trial)
        witnesses = _witnesses(database, audit, settings, clock, ask)
        broker = Broker(database, audit, witnesses, bundle, keys, settings, clock, random_bytes)
        with database.read() as connection:
            audit.start(connection)
        witnesses.start()
        _activate_bundle(broker)
    except BaseException:
        database.close()
        raise
    return broker


def stop(broker: Broker) -> None:
    """Give the database up."""
    broker.database.close()


def _witnesses(
    database: Database, audit: AuditLog, settings: Settings, clock: Clock, ask: Ask | None
) -> Witnesses:
    addresses = [WitnessAt(read_witness_key(each.key), each.url) for each in settings.witnesses]
    if settings.trial:
        return Witnesses(database, audit, (), 0, _nobody, clock, settings.witness_timeout_seconds)
    return Witnesses(
        database,
        audit,
        addresses,
        settings.witness_quorum,
        ask or over_http(settings.witness_timeout_seconds),
        clock,
        settings.witness_timeout_seconds,
    )


def _nobody(_url: str, _body: bytes) -> Answer:
    raise Unavailable("In a trial no witness is asked.")


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
