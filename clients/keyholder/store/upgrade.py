"""Bring a key holder's database to the tables of this release.

Rule: within the caller's transaction, all of it or nothing. A new database gets every table; one of an earlier release
what is new. It knows no release by number: it looks at what is there.
"""

from sqlalchemy import Connection, inspect, select, text

from broker.protocol.merkle import Frontier, leaf_hash
from clients.keyholder.store.tables import METADATA, log_leaves

_LEAVES_AT_ONCE = 1000


def upgrade(connection: Connection) -> None:
    """Make the tables that are missing, and put the log's hashes where this release keeps them."""
    with_nodes = inspect(connection).has_table("log_nodes")
    if with_nodes:
        connection.execute(text("ALTER TABLE log_leaves RENAME TO old_log_leaves"))
    METADATA.create_all(connection)
    if with_nodes:
        _lay_hashes_beside_leaves(connection)
        for table in ("old_log_leaves", "log_nodes"):
            connection.execute(text(f"DROP TABLE {table}"))


def _lay_hashes_beside_leaves(connection: Connection) -> None:
    # They had a row each (decision 0045). They follow from the leaves; the root is compared at each start.
    frontier = Frontier()
    old = select(text("leaf_index, leaf")).select_from(text("old_log_leaves")).order_by(text("leaf_index"))
    for page in connection.execute(old).partitions(_LEAVES_AT_ONCE):
        rows = [
            {"leaf_index": index, "leaf": leaf, "hashes": b"".join(frontier.append(leaf_hash(leaf)))}
            for index, leaf in page
        ]
        connection.execute(log_leaves.insert(), rows)
