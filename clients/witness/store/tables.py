"""The tables of one witness, in SQLAlchemy Core, on SQLite.

Rule: nothing here is secret, and what was cosigned is remembered for as long as the witness's key is used.
Times are Unix seconds. docs/data-model.md lists the columns.
"""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text

METADATA = MetaData()

# The keys the operator pinned; one that a log gave up is deleted when its change is followed.
log_keys = Table(
    "log_keys",
    METADATA,
    Column("origin", String(200), primary_key=True),
    Column("verifier_key", String(400), primary_key=True),
    Column("added_at", BigInteger, nullable=False),
)

# The newest checkpoint cosigned of each log.
cosigned = Table(
    "cosigned",
    METADATA,
    Column("origin", String(200), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False),  # as the log signed it
    Column("cosigned_at", BigInteger, nullable=False),
)

# Two notes of one size with two roots, both signed by the log's key.
forks = Table(
    "forks",
    METADATA,
    Column("fork", Integer, primary_key=True, autoincrement=True),
    Column("origin", String(200), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("other_root", LargeBinary(32), nullable=False),
    Column("seen_note", Text, nullable=False),
    Column("other_note", Text, nullable=False),
    Column("found_at", BigInteger, nullable=False),
)
