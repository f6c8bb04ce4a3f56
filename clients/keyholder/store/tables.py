"""The tables of one key holder, in SQLAlchemy Core, on SQLite.

Rule: a share or the private part of a prekey is here only as `store.sealing` sealed it, and its row is deleted with
secure_delete. No identifier, point or token ever has a column. Times are Unix seconds.
docs/data-model.md says of each table when its rows go.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

METADATA = MetaData(naming_convention={"ix": "ix_%(column_0_label)s"})

# --- what the operator pinned and activated ---
pinned_spaces = Table(
    "pinned_spaces",
    METADATA,
    Column("space_id", LargeBinary(16), primary_key=True),
    Column("roster_version", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("founder_key", LargeBinary(32), nullable=False),
    Column("pinned_at", BigInteger, nullable=False),
)

# By officers' approvals; what earlier releases took without them lay in another table, and counts for nothing.
rule_activations = Table(
    "rule_activations",
    METADATA,
    Column("bundle_digest", LargeBinary(32), nullable=False, index=True),
    Column("valid_from", BigInteger, nullable=False),
    Column("activated_at", BigInteger, nullable=False),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),  # of BUNDLE_ACTIVATED
)

# --- shares ---
prekeys = Table(
    "prekeys",
    METADATA,
    Column("prekey_id", LargeBinary(16), primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("sealed_private", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

series = Table(
    "series",
    METADATA,
    Column("series_id", LargeBinary(32), primary_key=True),
    Column("space_id", LargeBinary(16), nullable=False),
    Column("contributor", String(64), nullable=False),
    Column("contributor_key", LargeBinary(32), nullable=False),  # that signed the manifest
    Column("manifest", Text, nullable=False),
    Column("x", Integer, nullable=False),
    Column("key_digest", LargeBinary(32), nullable=False),
    Column("acceptance", Text, nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("withdrawal", Text),
    Column("destruction_receipt", Text),  # set once: the shares are gone
)

# Both shares of a series, sealed in one piece; the row goes when the series is withdrawn or its
# retention is over.
shares = Table(
    "shares",
    METADATA,
    Column("series_id", LargeBinary(32), ForeignKey("series.series_id"), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

# C_0 of every key ever accepted, so that a share copied under another manifest is refused for good.
first_commitments = Table(
    "first_commitments",
    METADATA,
    Column("commitment", LargeBinary(32), primary_key=True),
    Column("series_id", LargeBinary(32), ForeignKey("series.series_id"), nullable=False),
)

# --- evaluations ---
# One row a permit: what it was used for, and what it was charged. The sum per requester is the holder's own ledger.
permits_used = Table(
    "permits_used",
    METADATA,
    Column("permit_id", LargeBinary(16), primary_key=True),
    Column("terms_digest", LargeBinary(32), nullable=False),
    Column("space_id", LargeBinary(16), nullable=False),
    Column("requester", String(64), nullable=False),
    Column("tier", String(10), nullable=False),
    Column("identifiers", BigInteger, nullable=False),
    Column("charged_at", BigInteger, nullable=False),
    Index("ix_permits_used_requester", "space_id", "requester", "charged_at"),
)

evaluations = Table(
    "evaluations",
    METADATA,
    Column("permit_id", LargeBinary(16), ForeignKey("permits_used.permit_id"), primary_key=True),
    Column("series_id", LargeBinary(32), ForeignKey("series.series_id"), primary_key=True),
    Column("quorum", String(200), primary_key=True),
    Column("points_digest", LargeBinary(32), nullable=False),
    Column("evaluated_at", BigInteger, nullable=False),
    Column("log_index", BigInteger, nullable=False),  # of EVALUATED
)

# What approvers told this holder themselves: refusals, and approvals taken back.
approver_statements = Table(
    "approver_statements",
    METADATA,
    Column(
        "subject_digest", LargeBinary(32), primary_key=True
    ),  # of the request, or of the approval taken back
    Column("kid", String(43), primary_key=True),
    Column("request_digest", LargeBinary(32), nullable=False, index=True),
    Column("person", String(64), nullable=False),
    Column("document", Text, nullable=False),
    Column("log_index", BigInteger, nullable=False),  # of APPROVAL_VOIDED
)

# The largest checkpoint seen of each broker's log.
seen_checkpoints = Table(
    "seen_checkpoints",
    METADATA,
    Column("log_key", LargeBinary(32), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)

# Two signed notes of one size with two roots: evidence that a broker's log forked. Kept until a person looked.
forks = Table(
    "forks",
    METADATA,
    Column("fork", Integer, primary_key=True, autoincrement=True),
    Column("log_key", LargeBinary(32), nullable=False),
    Column("seen_note", Text, nullable=False),
    Column("other_note", Text, nullable=False),
    Column("found_at", BigInteger, nullable=False),
)

# --- what the operator said of lost entries ---
# While there is a row, permits given before its time are refused unless they are known: they may have been used.
restores = Table(
    "restores",
    METADATA,
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),  # of RESTORE_ACCEPTED
    Column("document", Text, nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
)

# --- calls ---
nonces = Table(
    "nonces",
    METADATA,
    Column("kid", String(43), primary_key=True),
    Column("nonce", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

idempotency_keys = Table(
    "idempotency_keys",
    METADATA,
    Column("kid", String(43), primary_key=True),
    Column("idempotency_key", String(64), primary_key=True),
    Column("call_digest", LargeBinary(32), nullable=False),  # of method, path and body
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# --- the holder's own log ---
log_leaves = Table(
    "log_leaves",
    METADATA,
    Column("leaf_index", Integer, primary_key=True, autoincrement=False),
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

log_records = Table(
    "log_records",
    METADATA,
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("record", LargeBinary),
    Column("salt", LargeBinary(32)),
)
