"""Start a broker: database, schema, log, rules; refuse to serve when anything is not as it should be.

Rule (AUDIT 3): the log is derived again before anything is served, every witness is shown it, and only rules that it
says are in force are served by. Putting them in force is `broker.activation`'s, a step of its own, which is done here
too, without serving. Without witnesses only a trial that says so may start.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from broker import activation, log_rotation
from broker.activation import Activation
from broker.audit.log import AuditLog
from broker.audit.witness_calls import HttpCalls
from broker.audit.witnesses import witnesses_of
from broker.context import Broker, BrokerKeys, Clock
from broker.gate.officers import PinnedOfficers
from broker.gate.shelf import BundleShelf
from broker.protocol.errors import Conflict, NotPermitted, Unavailable
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.log_keys import LogKeyLink
from broker.protocol.messages.parties import read_witness_key
from broker.settings import Settings
from broker.store import migrate
from broker.store.database import Database
from broker.translog import key_change
from broker.translog.cosigning import Answer, Ask, WitnessAt, Witnesses
from broker.translog.key_change import LostKey


@dataclass(frozen=True)
class Opened:
    """A database at the present schema, and its log, derived again; nothing is served of it yet."""

    database: Database
    audit: AuditLog


@dataclass(frozen=True)
class Compared:
    """What the witnesses say of a database: it is as they saw it; behind, or another's; or too few answered."""

    state: Literal["up-to-date", "behind", "not-known", "nobody"]
    words: str


def open_checked(settings: Settings, keys: BrokerKeys, random_bytes: RandomBytes) -> Opened:
    """The broker's database, which the caller closes.

    Raises NotPermitted (neither witnesses nor a trial), Conflict (another process owns the database, or a newer release
    wrote it) or Unavailable (the log is damaged, or the database is not durable)."""
    if not settings.trial and not settings.witness_quorum:
        raise NotPermitted(
            "No witness is configured, and a log without witnesses is only a trial. Name witnesses and witness_quorum "
            "in settings.toml, or start with --trial: every permit, receipt and disclosure then says so."
        )
    database = Database(settings.database_url)
    try:
        migrate.upgrade(database)
        with database.read() as connection:
            newest, *earlier = log_rotation.signing_keys(connection, keys)
            audit = AuditLog(settings.log_origin, newest, random_bytes, settings.trial, earlier)
            audit.start(connection)
    except BaseException:
        database.close()
        raise
    return Opened(database, audit)


def start(
    settings: Settings,
    keys: BrokerKeys,
    shelf: BundleShelf,
    clock: Clock,
    random_bytes: RandomBytes,
    ask: Ask | None = None,
) -> Broker:
    """A broker that is ready to serve. The caller closes it with `stop`. Errors as `open_checked` and `ready`."""
    return ready(open_checked(settings, keys, random_bytes), settings, keys, shelf, clock, random_bytes, ask)


def ready(
    opened: Opened,
    settings: Settings,
    keys: BrokerKeys,
    shelf: BundleShelf,
    clock: Clock,
    random_bytes: RandomBytes,
    ask: Ask | None = None,
) -> Broker:
    """A broker that serves by the rules in force; the database is closed if there is none.

    `ask` carries calls to witnesses: over HTTP unless it is given.

    Raises Unavailable (a witness saw another log, or too few answer), Conflict (no rules are in force), or NotFound or
    VerificationFailed (the shelf has no true copy of them)."""
    witnesses = _witnesses(opened, settings, clock, ask)
    try:
        witnesses.start()
        with opened.database.read() as connection:
            bundle = activation.bundle_in_force(connection, opened.audit, shelf)
    except BaseException:
        witnesses.close()
        opened.database.close()
        raise
    return Broker(
        opened.database, opened.audit, witnesses, bundle, shelf, keys, settings, clock, random_bytes
    )


def compare(
    settings: Settings, keys: BrokerKeys, clock: Clock, random_bytes: RandomBytes, ask: Ask | None = None
) -> Compared:
    """Show the witnesses the log in a database that was put back, as a start does, and serve nothing.

    Raises as `open_checked`; what the witnesses say is in what it returns."""
    opened = open_checked(settings, keys, random_bytes)
    witnesses = _witnesses(opened, settings, clock, ask)
    try:
        witnesses.start()
    except Unavailable as error:
        try:
            opened.audit.check_not_refused()
        except Unavailable:
            return Compared("behind", error.detail)
        return Compared("not-known", error.detail)
    finally:
        witnesses.close()
        opened.database.close()
    if settings.trial:
        return Compared(
            "nobody", "In a trial there is no witness that could tell whether entries are missing."
        )
    return Compared("up-to-date", "The witnesses saw this very log, and no more of it.")


def activate(
    settings: Settings,
    keys: BrokerKeys,
    shelf: BundleShelf,
    officers: PinnedOfficers,
    source: Path,
    clock: Clock,
    random_bytes: RandomBytes,
) -> Activation:
    """Put the bundle in `source` in force; nothing is served. Errors as `open_checked` and `activation.activate`.

    No witness is asked: the next start shows them the log with this entry."""
    opened = open_checked(settings, keys, random_bytes)
    try:
        return activation.activate(opened.database, opened.audit, shelf, officers, source, clock())
    finally:
        opened.database.close()


def rotate_log_key(
    settings: Settings,
    keys: BrokerKeys,
    reason: str,
    clock: Clock,
    random_bytes: RandomBytes,
    ask: Ask | None = None,
    lost: LostKey | None = None,
) -> LogKeyLink:
    """Change the log's key to `keys.next_log_key`, and prove it; nothing is served. Done before, it is proved anew.

    Raises as `open_checked`, `log_rotation.announce` and `log_rotation.prove`."""
    opened = open_checked(settings, keys, random_bytes)
    try:
        index = log_rotation.announce(opened.database, opened.audit, keys, reason, clock(), lost)
        with opened.database.read() as connection:
            newest, *earlier = log_rotation.signing_keys(connection, keys)
        audit = AuditLog(settings.log_origin, newest, random_bytes, settings.trial, earlier)
        signing = Opened(opened.database, audit)
        witnesses = _witnesses(signing, settings, clock, ask)
        try:
            return log_rotation.prove(opened.database, audit, witnesses, index, lost)
        finally:
            witnesses.close()
    finally:
        opened.database.close()


def check_log_key_followed(
    settings: Settings, keys: BrokerKeys, clock: Clock, random_bytes: RandomBytes, ask: Ask | None = None
) -> None:
    """That the old key of the log may be dropped: enough witnesses, and every space, name the new one.

    Raises Conflict, or as `open_checked`."""
    opened = open_checked(settings, keys, random_bytes)
    try:
        if keys.next_log_key is None or len(opened.audit.public_keys) < 2:
            raise Conflict("The log's key is not being changed, so there is no old one to drop.")
        with opened.database.read() as connection:
            log_rotation.check_spaces(connection, opened.audit.public_keys[0])
        alone = AuditLog(settings.log_origin, keys.next_log_key, random_bytes, settings.trial)
        witnesses = _witnesses(Opened(opened.database, alone), settings, clock, ask)
        try:
            key_change.check_followed(witnesses)
        finally:
            witnesses.close()
    finally:
        opened.database.close()


def stop(broker: Broker) -> None:
    """Give database and connections up."""
    broker.witnesses.close()
    broker.database.close()


def _witnesses(opened: Opened, settings: Settings, clock: Clock, ask: Ask | None) -> Witnesses:
    database, audit, timeout = opened.database, opened.audit, settings.witness_timeout_seconds
    if settings.trial:
        return witnesses_of(database, audit, (), 0, _nobody, clock, timeout)
    named = [WitnessAt(read_witness_key(each.key), each.url) for each in settings.witnesses]
    if ask is not None:
        return witnesses_of(database, audit, named, settings.witness_quorum, ask, clock, timeout)
    calls = HttpCalls(timeout)
    return witnesses_of(database, audit, named, settings.witness_quorum, calls, clock, timeout, calls.close)


def _nobody(_url: str, _body: bytes) -> Answer:
    raise Unavailable("In a trial no witness is asked.")
