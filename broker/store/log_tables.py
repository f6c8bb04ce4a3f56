"""The tables of the log and of what its witnesses saw.

Rule: leaves, hashes and head tell nobody's secrets; records are for auditors. docs/data-model.md lists the columns.
"""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, SmallInteger, String, Table

from broker.store.metadata import METADATA

# In SQLite a primary key of the type INTEGER is the row's own number, and needs no index beside the table.
_INDEX = BigInteger().with_variant(Integer(), "sqlite")

log_leaves = Table(
    "log_leaves",
    METADATA,
    Column("leaf_index", _INDEX, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
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
    Column("leaf_index", _INDEX, primary_key=True, autoincrement=False),
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
