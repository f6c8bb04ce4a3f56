"""Bring a database to the schema of this release (Alembic), and tell whether it is there.

Rule: a database of a newer release is refused, not used. It is the only module that knows Alembic.
"""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from broker.protocol.errors import Conflict
from broker.store import locks, partitions
from broker.store.database import Connection, Database
from broker.store.tables import METADATA

_SCRIPTS = Path(__file__).parent / "migrations"

__all__ = ["differences", "newest", "upgrade", "version_of"]


def upgrade(database: Database) -> None:
    """Apply all versions that are missing, in one transaction. Raises Conflict for a database of a newer release."""
    config = _config()
    with database.write() as connection:
        locks.lock(connection, "schema")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise Conflict(
                "The database was written by another release of the broker. Use that release or a newer one."
            ) from error


def differences(connection: Connection) -> list[object]:
    """What a database lacks, or has too much, against `broker.store.tables`; empty when it is up to date."""
    options = {"include_name": _is_in_the_schema}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


def version_of(connection: Connection) -> str | None:
    """The version of a database's schema; None while it has none."""
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str:
    """The version of this release's schema."""
    version = ScriptDirectory.from_config(_config()).get_current_head()
    if version is None:
        raise RuntimeError("this release has no schema")
    return version


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    return config


def _is_in_the_schema(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name is not None and name.startswith(partitions.PREFIX))
