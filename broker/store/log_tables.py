"""The tables of the log and of what its witnesses saw.

Rule: leaves, nodes and head tell nobody's secrets; records are for auditors. docs/data-model.md lists the columns.
"""

from sqlalchemy import BigInteger, Column, LargeBinary, SmallInteger, String, Table

from broker.store.metadata import METADATA

log_leaves = Table(
    "log_leaves",
    METADATA,
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
)

log_nodes = Table(
    "log_nodes",
    METADATA,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("node_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

log_head = Table(
    "log_head",
    METADATA,
    Column("only", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
)

# The record beside its leaf, for auditors; `record` and `salt` become NULL when it is erased.
log_records = Table(
    "log_records",
    METADATA,
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("record", LargeBinary),
    Column("salt", LargeBinary(32)),
)

# A hint where to go on; the witness's own answer corrects it.
witness_sizes = Table(
    "witness_sizes",
    METADATA,
    Column(
        "witness", String(300), primary_key=True
    ),  # its name and key id: an ML-DSA-44 key has 1,752 letters
    Column("size", BigInteger, nullable=False),
    Column("told_at", BigInteger, nullable=False),
)
