"""Hashes of whole subtrees lie beside the leaf that they end with, no longer in a row each (decision 0045).

They follow from the leaves, and are derived anew. At the next start the root is compared as ever.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from broker.protocol.merkle import Frontier, leaf_hash

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_LEAVES_AT_ONCE = 4096
_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_LEAVES = sa.table("log_leaves", *map(sa.column, ("leaf_index", "leaf", "hashes")))
_OLD_LEAVES = sa.table("old_log_leaves", *map(sa.column, ("leaf_index", "leaf")))
_NODES = sa.table("log_nodes", *map(sa.column, ("level", "node_index", "hash")))


def upgrade() -> None:
    """Apply this version."""
    _set_aside("log_leaves")
    op.create_table(
        "log_leaves",
        sa.Column("leaf_index", _INDEX, autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index", name=op.f("pk_log_leaves")),
    )
    frontier = Frontier()
    for rows in _pages(_OLD_LEAVES):
        values = [{**row._asdict(), "hashes": b"".join(frontier.append(leaf_hash(row.leaf)))} for row in rows]
        op.get_bind().execute(sa.insert(_LEAVES), values)
    op.drop_table("old_log_leaves")
    op.drop_table("log_nodes")
    _rebuild_records(_INDEX)


def downgrade() -> None:
    """Undo this version."""
    op.create_table(
        "log_nodes",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("node_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("level", "node_index", name=op.f("pk_log_nodes")),
        sqlite_with_rowid=False,
    )
    for rows in _pages(_LEAVES):
        nodes = [
            {"level": at // 32, "node_index": row.leaf_index >> at // 32, "hash": row.hashes[at : at + 32]}
            for row in rows
            for at in range(0, len(row.hashes), 32)
        ]
        op.get_bind().execute(sa.insert(_NODES), nodes)
    with op.batch_alter_table("log_leaves") as batch:
        batch.drop_column("hashes")
        batch.alter_column("leaf_index", type_=sa.BigInteger(), existing_type=_INDEX)
    _rebuild_records(sa.BigInteger())


def _set_aside(table: str) -> None:
    op.rename_table(table, f"old_{table}")
    if op.get_bind().dialect.name != "sqlite":
        op.execute(f"ALTER TABLE old_{table} RENAME CONSTRAINT pk_{table} TO pk_old_{table}")


def _pages(table: sa.TableClause) -> Iterator[Any]:
    """The rows of a table of leaves, some at a time, in order."""
    first = 0
    while True:
        query = sa.select(table).where(table.c.leaf_index >= first).order_by(table.c.leaf_index)
        rows = op.get_bind().execute(query.limit(_LEAVES_AT_ONCE)).all()
        if not rows:
            return
        yield rows
        first = rows[-1].leaf_index + 1


def _rebuild_records(index: sa.types.TypeEngine[int]) -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    _set_aside("log_records")
    op.create_table(
        "log_records",
        sa.Column("leaf_index", index, autoincrement=False, nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=True),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("leaf_index", name=op.f("pk_log_records")),
    )
    op.execute("INSERT INTO log_records SELECT leaf_index, record, salt FROM old_log_records")
    op.drop_table("old_log_records")
