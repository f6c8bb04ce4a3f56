"""Derive everything again from what a broker stored, and tell all that does not fit.

Rule (AUDIT 3 and 4): one snapshot, memory that does not grow, and no change to anything: it repairs nothing, because
what does not fit is evidence first, and whoever could mend a row could mend it to fit a lie. The order goes from what
all else stands on: files, schema, log, rows against entries, documents, records, witnesses.

It cannot see a whole database that is old, or was rewritten with all that belongs to it: witnesses and holders can.
"""

from collections.abc import Iterator
from pathlib import Path

from broker import folder
from broker.keys import BrokerKeys
from broker.protocol.errors import NarrowgateError
from broker.recovery import asked, deposited, explained, kept, logged, signed, told
from broker.recovery.findings import Finding
from broker.settings import Settings
from broker.store import migrate, whole
from broker.store.database import Connection
from broker.store.log import SqlLogStorage
from broker.translog.storage import Head
from broker.translog.stored import Progress, quiet


def look(directory: Path, settings: Settings, progress: Progress = quiet) -> Iterator[Finding]:
    """All that is wrong in a broker's folder and its database.

    Of a SQLite file it takes the broker's lock. Raises Conflict (a broker runs), NotFound (no database),
    VerificationFailed (the file is damaged) or Unavailable (the server cannot be read)."""
    yield from kept.check(directory, settings)
    try:
        keys = folder.read_keys(directory)
    except NarrowgateError as error:
        yield Finding(
            f"file {folder.KEYS_FILE}", f"{error.detail} Until it can be used the database is not looked at."
        )
        return
    with whole.snapshot(settings.database_url, alone=True) as connection:
        yield from check(connection, keys, progress)


def check(connection: Connection, keys: BrokerKeys, progress: Progress = quiet) -> Iterator[Finding]:
    """All that is wrong in a database, in the caller's transaction."""
    version = migrate.version_of(connection)
    if version != migrate.newest():
        yield Finding(
            "the schema",
            "is not this release's, so nothing in it was looked at. Use the release that wrote it, or start this "
            "release's broker once.",
        )
        return
    for _difference in migrate.differences(connection):
        yield Finding("the schema", "a table, column or index differs from this release's.")
    yield from logged.check_hashes(connection)
    head = SqlLogStorage(connection).head()
    for each in logged.walk(connection, head, progress):
        if isinstance(each, Finding):
            yield each
        else:
            yield from explained.rows_of(connection, each)
            yield from asked.rows_of(connection, each)
    yield from explained.entries_of(connection, progress)
    yield from asked.entries_of(connection)
    yield from signed.check(connection, keys.signing_public, progress)
    yield from deposited.check(connection, progress)
    yield from told.check(connection, progress)
    yield from _witnesses(connection, head)


def _witnesses(connection: Connection, head: Head) -> Iterator[Finding]:
    """What is known here of how far witnesses saw the log; the next start asks them."""
    for row in whole.rows(connection, "witness_sizes"):
        if row["size"] > head.size:
            name = row["witness"].partition("+")[0]  # of name+id+key
            yield Finding(
                f"witness {name}",
                f"saw {row['size']:,} entries, and the log has {head.size:,}: entries are missing.",
            )
