"""Put a backup back: into an empty folder and an empty database, looked at from end to end, and shown to the witnesses.

Rule (AUDIT 3, promise 4): every digest is compared before anything is written; what does not pass `fsck` is taken away
again, unless its operator says otherwise; and whether it is the newest only witnesses and holders know. A copy that is
behind them is left for what it is worth, and serves nothing: each start asks the witnesses again, and no option goes
past them. Two copies of one broker cannot both go on: witnesses cosign one.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from broker import folder, startup
from broker.context import Clock
from broker.gate.durability import sync
from broker.keys import BrokerKeys
from broker.protocol.errors import BadInput, Conflict, Unavailable
from broker.protocol.messages.base import RandomBytes
from broker.recovery import fsck, kept, sealed_file
from broker.recovery.backup import read_again
from broker.recovery.findings import Finding
from broker.recovery.portable import FileRead, Manifest, PortableReader, TableRead
from broker.settings import SETTINGS_FILE, Settings
from broker.startup import Compared
from broker.store import migrate, whole
from broker.store.database import Connection, Database
from broker.translog.cosigning import Ask
from broker.translog.stored import Progress, quiet

LISTED = 1000
"""So many findings are kept in memory; of a database with more, that many are told."""
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}){0,9}\Z")


@dataclass(frozen=True)
class Restored:
    """What came of it. `in_place` is False when it was taken away again for what was found; then nobody was asked."""

    manifest: Manifest
    findings: tuple[Finding, ...]
    in_place: bool
    compared: Compared | None


class _NotSound(Exception):
    """Rolls the transaction back."""


def restore(
    file: Path,
    directory: Path,
    passphrase: str,
    clock: Clock,
    random_bytes: RandomBytes,
    *,
    database_url: str | None = None,
    despite_findings: bool = False,
    ask: Ask | None = None,
    progress: Progress = quiet,
) -> Restored:
    """Put a backup back.

    Args:
        database_url: an empty database to put it into; without it the one that the backup's settings name.
        despite_findings: leave in place what does not pass `fsck`.
        ask: carries calls to witnesses: over HTTP unless it is given.

    Raises BadInput, VerificationFailed (passphrase, or a damaged file), Conflict (folder or database are not empty, or
    another release's backup) or Unavailable (a database or disk that fails)."""
    manifest = read_again(file, passphrase).manifest
    if manifest.schema_version != migrate.newest():
        raise Conflict(
            "The backup is of another release. Restore it with that release, then start this one on what is restored."
        )
    with _made(directory) as undo:
        _write_files(file, directory, passphrase)
        if database_url is not None:
            _name_database(directory, database_url)
        settings, keys = folder.read_settings(directory), folder.read_keys(directory)
        if not settings.witness_quorum:
            settings = settings.model_copy(update={"trial": True})
        findings, sound = _fill(file, settings, keys, passphrase, despite_findings, progress)
        findings += list(kept.check(directory, settings))
        if not sound:
            return Restored(manifest, tuple(findings), False, None)
        _sync_all(directory)
        undo.pop_all()
    return Restored(
        manifest, tuple(findings), True, startup.compare(settings, keys, clock, random_bytes, ask)
    )


def _fill(
    file: Path,
    settings: Settings,
    keys: BrokerKeys,
    passphrase: str,
    despite_findings: bool,
    progress: Progress,
) -> tuple[list[Finding], bool]:
    """What is wrong with it, and whether it is in the database now: one transaction."""
    findings: list[Finding] = []
    database = Database(settings.database_url)
    try:
        with database.read() as connection:
            _require_empty(connection)
        migrate.upgrade(database)
        with database.write() as connection:
            _require_empty(connection)
            for section in _sections(file, passphrase):
                if not isinstance(section, FileRead):
                    progress(f"table {section.name}", 0, 0)
                    whole.fill(connection, section.name, section.columns, section.rows)
            whole.go_on_counting(connection)
            for finding in fsck.check(connection, keys, progress):
                findings.append(finding)
                if len(findings) == LISTED:
                    break
            if findings and not despite_findings:
                raise _NotSound
    except _NotSound:
        return findings, False
    finally:
        database.close()
    return findings, True


def _require_empty(connection: Connection) -> None:
    if not whole.is_empty(connection):
        raise Conflict(
            "The database that the settings name holds something already. Name an empty one with --database-url."
        )


def _sections(file: Path, passphrase: str) -> Iterator[FileRead | TableRead]:
    with file.open("rb") as opened:
        yield from PortableReader(sealed_file.opening(opened, passphrase)).sections()


@contextlib.contextmanager
def _made(directory: Path) -> Iterator[contextlib.ExitStack]:
    """The folder, empty; emptied again when the block ends, unless what it gives is told to forget that."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Conflict("A backup is put back into an empty folder. Choose a new one.")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        with contextlib.ExitStack() as undo:
            undo.callback(_empty, directory)
            yield undo
    except OSError as error:
        raise Unavailable("The backup cannot be put back there. Is there room, and may you write?") from error


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _write_files(file: Path, directory: Path, passphrase: str) -> None:
    for section in _sections(file, passphrase):
        if not isinstance(section, FileRead):
            continue
        if not _NAME.match(section.name):
            raise BadInput("A file in the backup has a name that this program would not write.")
        path = directory / section.name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
            written.write(section.data)


def _name_database(directory: Path, url: str) -> None:
    """Let the settings name another database. Raises BadInput for a URL that is none or holds a password."""
    folder.check_url(url)
    path = directory / SETTINGS_FILE
    lines = path.read_text(encoding="utf-8").splitlines()
    others = [line for line in lines if not re.match(r"\s*#?\s*database_url\s*=", line)]
    # First: further down it could fall into a table of the file.
    path.write_text("\n".join([f"database_url = {_quoted(url)}", *others]) + "\n", encoding="utf-8")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _sync_all(directory: Path) -> None:
    for path in (*directory.rglob("*"), directory, directory.parent):
        sync(path)
