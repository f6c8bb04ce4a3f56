"""The doctor's look at a witness's folder: its keys, its database, and each log that it cosigns.

Rule: it reads beside a service that runs, or in a folder at rest, and changes nothing. A witness calls nobody, so there
is nobody whose clock could be asked: this computer's is compared with the newest cosignature.
"""

from collections.abc import Iterator
from pathlib import Path

from broker.protocol import checkpoint
from broker.protocol.checkpoint import parse_verifier_key
from broker.protocol.errors import NarrowgateError, NotFound
from clients.doctor.finding import Finding, broken, look, ok
from clients.doctor.peers import Looked
from clients.doctor.permissions import look_at_secret_files
from clients.doctor.services import LATE_SECONDS, UNEASY_SECONDS
from clients.keyholder.store.read_only import check_sound, snapshot
from clients.witness.context import DATABASE_FILE
from clients.witness.keys import KEY_FILE, open_keys
from clients.witness.store import logs
from clients.witness.store.database import Connection

_ANEW = (
    "Never put an old copy back: a key that forgot what it cosigned could cosign a second history. Keep the folder, "
    "and take part anew under another name and key."
)


def look_at_witness_folder(directory: Path, now: int) -> Looked:
    """All of the folder; `now` is this computer's time in Unix seconds."""
    findings = [look_at_secret_files(directory, (KEY_FILE,))]
    try:
        keys = open_keys(directory)
        findings.append(ok("keys", f"{len(keys.verifier_keys)} cosigning keys open."))
    except NarrowgateError as error:
        findings.append(broken("keys", "The witness's keys cannot be used.", error.detail))
    try:
        with snapshot(directory / DATABASE_FILE) as connection:
            check_sound(connection)
            findings.append(ok("database", "Opens, its pages fit, and it writes ahead."))
            findings += _logs(connection, now)
    except NotFound as error:
        findings.append(look("database", error.detail, "Run: narrowgate witness add-log"))
    except NarrowgateError as error:
        findings.append(broken("database", error.detail, _ANEW))
    return Looked(tuple(findings))


def _logs(connection: Connection, now: int) -> Iterator[Finding]:
    origins = logs.origins(connection)
    if not origins:
        yield look("logs", "No log is pinned, so nothing is cosigned.", "Run: narrowgate witness add-log")
    for origin in origins:
        yield from _log(connection, origin, now)


def _log(connection: Connection, origin: str, now: int) -> Iterator[Finding]:
    about = f"log {origin}"
    if logs.forks_of(connection, origin):
        yield broken(
            about,
            "It showed two roots at one size: it forked.",
            "Keep the folder; tell its users and an auditor: narrowgate witness show",
        )
    newest = logs.newest(connection, origin)
    if newest is None:
        yield look(about, "Nothing of it was cosigned yet.", "Ask its operator to name this witness.")
        return
    if newest.cosigned_at - now > UNEASY_SECONDS:
        yield broken(
            "clock",
            f"The newest cosignature is {newest.cosigned_at - now:,} seconds ahead of this computer's clock.",
            "Set the clock by the network (NTP) before the service runs on.",
        )
    if not any(_signed(newest.note, origin, key) for key in logs.keys_of(connection, origin)):
        yield look(
            about,
            "What was cosigned last is signed by no key that is pinned for it now.",
            "So it is for a moment after the log's key was lost and replaced. Otherwise keep the folder as evidence.",
        )
        return
    words = f"{newest.size:,} entries are cosigned, under a key that is pinned."
    if now - newest.cosigned_at > LATE_SECONDS:
        yield look(
            about, words + " That was more than a week ago.", "Ask its operator whether it still runs."
        )
    else:
        yield ok(about, words)


def _signed(note: str, origin: str, key: str) -> bool:
    try:
        checkpoint.parse_and_verify(note.encode(), origin, parse_verifier_key(key))
    except NarrowgateError:
        return False
    return True
