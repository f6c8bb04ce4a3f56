"""The doctor's look at a key holder's folder: keys, database, its own log and its key, pinned spaces, rules, witnesses.

Rule: it reads beside a service that runs, or in a folder at rest, and changes nothing. It names spaces and says how
many; no series, no requester and no request is in a line.
"""

from collections.abc import Iterator
from pathlib import Path

from broker.gate.activation import OFFICERS_NEEDED
from broker.gate.officers import PinnedOfficers
from broker.gate.shelf import BundleShelf
from broker.protocol import documents
from broker.protocol.errors import NarrowgateError, NotFound, NotPermitted
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.parties import Enrolment, Space
from broker.translog.log import root_at
from broker.translog.verify import rederive
from clients.doctor.finding import Finding, broken, look, ok
from clients.doctor.peers import Looked, Peer
from clients.doctor.permissions import look_at_secret_files
from clients.doctor.services import UNEASY_SECONDS
from clients.keyholder.context import DATABASE_FILE
from clients.keyholder.high_water import WHAT_TO_DO, HighWater
from clients.keyholder.keys import ENROLMENT_FILE, KEY_FILE, HolderKeys, open_keys
from clients.keyholder.log_keys import rotation
from clients.keyholder.log_keys.chain_file import read_kept
from clients.keyholder.pinning import own_entry, pinned_spaces
from clients.keyholder.store import permits, pinned
from clients.keyholder.store.database import Connection
from clients.keyholder.store.log import SqlLogStorage
from clients.keyholder.store.read_only import check_sound, snapshot
from clients.keyholder.witness_choice import CHOICE_FILE, TRIAL, read_choice

_SECRET = (KEY_FILE, DATABASE_FILE, f"{DATABASE_FILE}-wal")
_BACKUP = "Stop the service, keep the folder as evidence, and put the newest backup back."


def look_at_holder(directory: Path, high_water: Path, passphrase: str | None, now: int) -> Looked:
    """All of the folder; `high_water` is the file of the mark, `now` this computer's time in Unix seconds."""
    findings, peers = [look_at_secret_files(directory, _SECRET)], list[Peer]()
    try:
        keys = open_keys(directory, passphrase)
    except NarrowgateError as error:
        findings.append(broken("keys", "The key holder's keys cannot be used.", error.detail))
        return Looked(tuple(findings))
    findings += [_enrolment(directory, keys), *_officers(directory)]
    peers.append(Peer("service", "this key holder's service", keys.origin, own=True))
    try:
        choice = read_choice(directory)
        findings.append(
            look("witnesses", TRIAL.partition(".")[0] + ".", "Use no real case in a trial.")
            if choice.trial
            else ok("witnesses", f"{choice.quorum} of {len(choice.witnesses)} must cosign this holder's log.")
        )
        peers += [Peer("witness", f"witness {each.name}", each.url) for each in choice.witnesses]
    except NarrowgateError as error:
        findings.append(broken("witnesses", error.detail, f"Put {CHOICE_FILE} back from a backup."))
    try:
        with snapshot(directory / DATABASE_FILE) as connection:
            check_sound(connection)
            findings.append(ok("database", "Opens, its pages fit, and it writes ahead."))
            findings += _log(connection, HighWater(high_water, keys.log_origin), now)
            findings += _log_key(connection, directory, keys)
            spaces = [signed.payload for signed in pinned_spaces(connection)]
            findings += _forks(connection)
            findings += _rules(connection, BundleShelf(directory), spaces)
            findings += [line for space in spaces for line in _space(space, keys)]
            peers += [Peer("broker", "broker", space.broker_origin) for space in spaces]
    except NotFound as error:
        findings.append(look("database", error.detail, "It is made when a space is pinned."))
    except NarrowgateError as error:
        findings.append(broken("database", error.detail, _BACKUP))
    return Looked(tuple(findings), tuple(peers))


def _enrolment(directory: Path, keys: HolderKeys) -> Finding:
    try:
        text = (directory / ENROLMENT_FILE).read_text(encoding="ascii").strip()
        enrolled = documents.verify(Enrolment, text, keys.signing_public).payload
        if (enrolled.wrapping_key, enrolled.origin) == (keys.wrapping.public, keys.origin):
            return ok("keys", f"The keys of {keys.holder_id} open and are those of its enrolment.")
    except (OSError, ValueError, NarrowgateError):
        pass
    return broken(
        "keys",
        "The keys open, and the enrolment beside them is missing or was made with others.",
        "Put keys and enrolment of one backup back: founders pin the keys by the enrolment.",
    )


def _officers(directory: Path) -> Iterator[Finding]:
    try:
        number = len(PinnedOfficers(directory).all())
    except NarrowgateError as error:
        yield broken("officers", error.detail, "Run: narrowgate keyholder officer --pin")
        return
    if number < OFFICERS_NEEDED:
        yield look(
            "officers",
            f"{number} officers are pinned, and two must have signed what is put in force here.",
            "Run: narrowgate keyholder officer --pin",
        )
    else:
        yield ok("officers", f"{number} officers are pinned; their files verify.")


def _log(connection: Connection, mark: HighWater, now: int) -> Iterator[Finding]:
    storage = SqlLogStorage(connection)
    try:
        head = rederive(storage)
    except NarrowgateError as error:
        yield broken("log", error.detail, _BACKUP)
        return
    yield ok("log", f"{head.size:,} entries, derived again from the first to the head.")
    for leaf in storage.leaves(head.size - 1, head.size) if head.size else ():
        ahead = parse_leaf(leaf).recorded_at - now
        if ahead > UNEASY_SECONDS:
            yield broken(
                "clock",
                f"The newest entry of the log is {ahead:,} seconds ahead of this computer's clock.",
                "Set the clock by the network (NTP) before the service runs on.",
            )
    try:
        marked = mark.found()
    except NarrowgateError as error:
        yield broken("high-water mark", error.detail, "Name the right file with NARROWGATE_HIGH_WATER.")
        return
    if marked is None:
        if head.size:
            yield broken(
                "high-water mark", "Its file is gone: whether entries are missing is not known.", WHAT_TO_DO
            )
    elif marked.size > head.size or root_at(storage, marked.size) != marked.root:
        yield broken("high-water mark", "The folder is an older copy, or its log was rewritten.", WHAT_TO_DO)
    else:
        yield ok("high-water mark", "The log holds what was marked outside the folder.")


def _log_key(connection: Connection, directory: Path, keys: HolderKeys) -> Iterator[Finding]:
    try:
        signing = rotation.signing_keys(connection, keys, read_kept(directory))
    except NarrowgateError as error:
        yield broken("log key", error.detail, _BACKUP)
        return
    if len(signing) > 1:
        yield look(
            "log key",
            "It is being changed, and both keys sign.",
            "Once every witness follows, run: narrowgate keyholder rotate-log-key --finish",
        )
    elif keys.next_log_key is not None and signing == (keys.log_key,):
        yield look(
            "log key",
            "A new one was drawn, and the log does not say so yet: the change was cut short.",
            "Repeat: narrowgate keyholder rotate-log-key",
        )


def _forks(connection: Connection) -> Iterator[Finding]:
    if permits.count_forks(connection):
        yield broken(
            "broker's log",
            "A broker showed this holder two logs that contradict each other.",
            "Keep the folder; tell the members and an auditor: narrowgate keyholder show",
        )


def _rules(connection: Connection, shelf: BundleShelf, spaces: list[Space]) -> Iterator[Finding]:
    active = pinned.activation(connection)
    if active is None:
        yield broken(
            "rules", "No rules are in force at this key holder.", "Run: narrowgate keyholder activate"
        )
        return
    try:
        shelf.get(active.bundle_digest)
    except NarrowgateError as error:
        yield broken("rules", error.detail, "Run again with the signed rules: narrowgate keyholder activate")
        return
    others = [space.name for space in spaces if space.bundle_digest != active.bundle_digest]
    if others:
        yield broken(
            "rules",
            f"Other rules are in force here than these spaces expect: {', '.join(others)}.",
            "Run: narrowgate keyholder activate with the rules of the spaces, or pin the founder's new roster.",
        )
    else:
        yield ok("rules", "Rules are in force, their copy is whole, and every pinned space expects them.")


def _space(space: Space, keys: HolderKeys) -> Iterator[Finding]:
    about = f"space {space.name}"
    try:
        entry = own_entry(space, keys.holder_id)
    except NotPermitted:
        yield look(
            about, "Its newest roster here has other key holders.", "Ask the founder if that is meant."
        )
        return
    if (entry.signing_key, entry.wrapping_key) != (keys.signing_public, keys.wrapping.public):
        yield broken(
            about,
            "Its roster names other keys for this holder than lie here.",
            "Put the right keys.json back.",
        )
    elif entry.origin != keys.origin:
        yield look(
            about, "Its roster names another address of this holder.", "Ask the founder for a new roster."
        )
    elif space.trial:
        yield look(about, "It is a trial: nobody cosigns the broker's log.", "Use no real case in a trial.")
    else:
        yield ok(about, f"Pinned, with this holder's keys; {space.witness_quorum} witnesses must cosign.")
