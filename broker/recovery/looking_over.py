"""What `narrowgate doctor` finds in a broker's folder, beside a broker that runs or at rest.

Rule: it changes nothing and takes no lock. It is quick next to `fsck`: of the database it looks at settings, schema,
log and rules, and at no row of anybody's. The command line finds it by the entry-point group `narrowgate.doctor`, since
clients do not import the broker; so what it returns is plain, and calls nobody: it names who could be asked.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from broker import activation, folder, log_rotation
from broker.audit.log import AuditLog
from broker.gate.shelf import BundleShelf
from broker.keys import BrokerKeys
from broker.protocol.documents import public_bytes, unverified_payload
from broker.protocol.errors import NarrowgateError, NotFound
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.parties import Space, read_witness_key
from broker.recovery import kept
from broker.settings import Settings
from broker.store import migrate, parties, whole, witnesses
from broker.store.database import Connection
from broker.store.log import SqlLogStorage
from broker.translog.verify import rederive

UNEASY_SECONDS = 20
_BACKUP = "Stop the broker, keep folder and database as evidence: docs/how-to-keep-a-broker.md."


class Line(NamedTuple):
    """What was looked at; `ok`, `look at` or `broken`; how it is, in words; what to do."""

    about: str
    state: str
    words: str
    what_to_do: str = ""


class LookedOver(NamedTuple):
    """What was found; and whom the broker depends on: kind (`broker`, `service`, `witness`), who, and origin."""

    lines: tuple[Line, ...]
    peers: tuple[tuple[str, str, str], ...] = ()


def look_over(directory: Path, now: int) -> LookedOver:
    """All of a broker's folder, and its database. `now` is this computer's time in Unix seconds."""
    try:
        settings = folder.read_settings(directory)
    except NarrowgateError as error:
        return LookedOver((Line("settings", "broken", "They cannot be used.", error.detail),))
    lines, peers = [_witnesses_chosen(settings)], [("broker", "broker", settings.public_origin)]
    peers += [("witness", f"witness {read_witness_key(at.key).name}", at.url) for at in settings.witnesses]
    lines += _files(directory, settings)
    try:
        keys = folder.read_keys(directory)
    except NarrowgateError as error:
        lines.append(Line("keys", "broken", "The broker's keys cannot be used.", error.detail))
        return LookedOver(tuple(lines), tuple(peers))
    try:
        with whole.snapshot(settings.database_url, alone=False) as connection:
            lines += _database(connection, directory, settings, keys, now)
            for space in _spaces(connection) if migrate.version_of(connection) == migrate.newest() else ():
                peers += [("service", f"key holder {each.name}", each.origin) for each in space.holders]
    except NotFound as error:
        lines.append(Line("database", "look at", error.detail, "Run: narrowgate broker activate, then serve"))
    except NarrowgateError as error:
        lines.append(Line("database", "broken", error.detail, _BACKUP))
    return LookedOver(tuple(lines), tuple(peers))


def _witnesses_chosen(settings: Settings) -> Line:
    if settings.trial or not settings.witness_quorum:
        return Line(
            "witnesses",
            "look at",
            "None must cosign the log: it runs as a trial.",
            "Use no real case in a trial.",
        )
    words = f"{settings.witness_quorum} of {len(settings.witnesses)} must cosign the log."
    return Line("witnesses", "ok", words)


def _files(directory: Path, settings: Settings) -> Iterator[Line]:
    found = list(kept.check(directory, settings))
    for each in found:
        yield Line(each.where, "broken", each.what[:1].upper() + each.what[1:], "Mend it, and look again.")
    if not found:
        yield Line("files", "ok", "Nobody else can open the folder; its officers and rules are whole.")


def _database(
    connection: Connection, directory: Path, settings: Settings, keys: BrokerKeys, now: int
) -> Iterator[Line]:
    if migrate.version_of(connection) != migrate.newest():
        yield Line(
            "database",
            "look at",
            "Its schema is not this release's, so nothing in it was looked at.",
            "Start this release's broker once, or use the release that wrote it.",
        )
        return
    if whole.writes_ahead(connection):
        yield Line("database", "ok", "Opens, with this release's schema and durable settings.")
    else:
        yield Line(
            "database", "broken", "It does not write ahead (WAL): another program changed it.", _BACKUP
        )
    try:
        head = rederive(SqlLogStorage(connection))
        signing = log_rotation.signing_keys(connection, keys)
    except NarrowgateError as error:
        yield Line("log", "broken", error.detail, _BACKUP)
        return
    yield Line("log", "ok", f"{head.size:,} entries, derived again from the first to the head.")
    yield from _clock(connection, head.size, now)
    if max(witnesses.sizes(connection).values(), default=0) > head.size:
        yield Line("log", "broken", "A witness saw more of it: entries are missing.", _BACKUP)
    if keys.next_log_key is not None:
        yield Line(
            "log key",
            "look at",
            "It is being changed, and both keys sign.",
            "Once everybody follows, run: narrowgate broker rotate-log-key --finish",
        )
    newest, *earlier = signing
    audit = AuditLog(settings.log_origin, newest, os.urandom, settings.trial, earlier)
    try:
        rules = activation.bundle_in_force(connection, audit, BundleShelf(directory)).digest
        yield Line("rules", "ok", "Rules are in force, and their copy is whole.")
    except NarrowgateError as error:
        rules = None
        yield Line("rules", "broken", "The broker has no rules to serve by.", error.detail)
    public = {public_bytes(each) for each in signing}
    for space in _spaces(connection):
        yield from _space(space, keys.signing_public, public, rules)
    waiting = parties.pending_enrolments(connection)
    if waiting:
        words = f"{waiting:,} parties enrolled and were not accepted yet."
        yield Line("enrolments", "look at", words, "Run: narrowgate broker enrolments, then accept")


def _clock(connection: Connection, size: int, now: int) -> Iterator[Line]:
    for leaf in SqlLogStorage(connection).leaves(size - 1, size) if size else ():
        ahead = parse_leaf(leaf).recorded_at - now
        if ahead > UNEASY_SECONDS:
            words = f"The newest entry of the log is {ahead:,} seconds ahead of this computer's clock."
            yield Line(
                "clock", "broken", words, "Set the clock by the network (NTP) before the broker runs on."
            )


def _spaces(connection: Connection) -> list[Space]:
    # Verified when they were taken; here they only say what a member expects of this broker.
    return [unverified_payload(Space, each.document) for each in parties.newest_spaces(connection)]


def _space(space: Space, signing_key: bytes, log_keys: set[bytes], rules: bytes | None) -> Iterator[Line]:
    about = f"space {space.name}"
    if space.broker_signing_key != signing_key or space.log_key not in log_keys:
        words = "Its roster names other keys for this broker than it has."
        what_to_do = (
            "Put the newest keys.json back; after a change of the log's key, ask the founder for a roster."
        )
        yield Line(about, "broken", words, what_to_do)
    elif rules is not None and space.bundle_digest != rules:
        words = "Its roster names other rules than are in force here, so nothing new is asked or deposited."
        yield Line(about, "broken", words, "Its founder runs: narrowgate space change-rules")
    else:
        yield Line(about, "ok", "Its roster names this broker's keys and the rules in force.")
