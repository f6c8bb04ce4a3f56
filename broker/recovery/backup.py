"""Write a broker's folder and database, as they are at one moment, into one sealed file; and read it again to the end.

Rule: one snapshot, which a running broker does not notice; the file takes its name once it is on the disk, was read
again and gives the log's root. It holds all of the broker's secrets, and personal data: it is sealed under a passphrase
(`broker.recovery.sealed_file`), and deleted records live on in it for as long as it is kept.

One form for both databases (`broker.recovery.portable`): what was backed up from SQLite can be restored to PostgreSQL.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from broker import folder
from broker.gate.durability import sync
from broker.gate.officers import OFFICERS_FOLDER
from broker.gate.shelf import SHELF_FOLDER
from broker.protocol.errors import BadInput, Conflict, Unavailable, VerificationFailed
from broker.protocol.merkle import Frontier, leaf_hash
from broker.protocol.messages.base import RandomBytes
from broker.recovery import sealed_file
from broker.recovery.portable import FileRead, Manifest, PortableReader, PortableWriter
from broker.settings import SETTINGS_FILE
from broker.store import migrate, whole
from broker.store.log import SqlLogStorage
from broker.translog.stored import Progress, quiet

_FILES = ("*.json", "*.key", SETTINGS_FILE)
_FOLDERS = (OFFICERS_FOLDER, SHELF_FOLDER)


@dataclass(frozen=True)
class BackedUp:
    """Evidence that a backup was written and read again. `digest` is SHA-256 of the file."""

    manifest: Manifest
    digest: bytes
    file_bytes: int


def back_up(
    directory: Path,
    file: Path,
    passphrase: str,
    now: int,
    random_bytes: RandomBytes,
    progress: Progress = quiet,
) -> BackedUp:
    """Write the backup; the broker may run. Raises BadInput (no broker, a short passphrase), Conflict (the file is
    there, or the database is of another release), NotFound (no database), VerificationFailed (the database, or what was
    written, is damaged) or Unavailable (no room on the disk)."""
    settings = folder.read_settings(directory)
    folder.read_keys(
        directory
    )  # a folder that is no broker's, or lies open, is found out before anything is written
    if file.exists():
        raise Conflict("There is a file of that name already. Each backup has a name of its own.")
    partial = file.with_name(f".{file.name}.partial")
    try:
        with _created(partial) as opened:
            with (
                whole.snapshot(settings.database_url, alone=False) as connection,
                sealed_file.sealing(opened, passphrase, random_bytes) as sink,
            ):
                version = migrate.version_of(connection)
                if version is None or version != migrate.newest():
                    raise Conflict(
                        "The database is of another release. Use the release that wrote it, or start this one."
                    )
                # The snapshot begins with this read. Rules only ever come to the folder, and before their entry does.
                head = SqlLogStorage(connection).head()
                writer = PortableWriter(sink)
                for name, data in _files(directory):
                    writer.file(name, data)
                for done, (name, table) in enumerate(whole.TABLES.items()):
                    progress("tables", done, len(whole.TABLES))
                    rows = (tuple(row.values()) for row in whole.every(connection, name))
                    writer.table(name, table.columns.keys(), rows)
                manifest = writer.manifest(
                    log_origin=settings.log_origin,
                    size=head.size,
                    root=head.root,
                    schema_version=version,
                    made_at=now,
                )
            opened.flush()
            os.fsync(opened.fileno())
        written = read_again(partial, passphrase)
        if written.manifest != manifest:
            raise VerificationFailed("What was written is not what is on the disk. Use another disk.")
        partial.replace(file)
        sync(file.parent)
        return written
    except OSError as error:
        raise Unavailable("The backup cannot be written. Is there room, and may you write there?") from error
    finally:
        partial.unlink(missing_ok=True)


def read_again(file: Path, passphrase: str) -> BackedUp:
    """Read a backup to its end: every chunk opens, every section is the manifest's, and the leaves give its root.

    Raises BadInput or VerificationFailed."""
    frontier = Frontier()
    with _opened(file) as opened:
        source = sealed_file.opening(opened, passphrase)
        reader = PortableReader(source)
        for section in reader.sections():
            if not isinstance(section, FileRead) and section.name == "log_leaves":
                at = section.columns.index("leaf")
                for row in section.rows:
                    frontier.append(leaf_hash(row[at]))
        source.check_end()
        manifest = reader.read_manifest
    if manifest is None or (manifest.size, manifest.root) != (frontier.size, frontier.root()):
        raise VerificationFailed(
            "The log in the backup does not give the root that its manifest says. Run `narrowgate broker fsck` on the "
            "broker's folder."
        )
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").digest()
    return BackedUp(manifest, digest, file.stat().st_size)


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise BadInput("The backup cannot be read. Check its name, and whether you may.") from error


def _created(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _files(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Names below the folder, with / between, and their bytes. What is hidden was cut short and is not used."""
    paths = [path for name in _FILES for path in sorted(directory.glob(name))]
    paths += [path for name in _FOLDERS for path in sorted((directory / name).rglob("*"))]
    for path in paths:
        parts = path.relative_to(directory).parts
        if path.is_file() and not any(part.startswith(".") for part in parts):
            yield "/".join(parts), path.read_bytes()
