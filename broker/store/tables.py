"""The tables of the broker, in SQLAlchemy Core: one schema for SQLite and PostgreSQL.

Rule: no column holds an identifier, a salt or a key of an agency. docs/data-model.md says of each table what it is
for and when its rows go. Times are Unix seconds. Queries live beside, one module per subject; tables of the log are in
`log_tables`.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from broker.store.log_tables import log_head as log_head
from broker.store.log_tables import log_leaves as log_leaves
from broker.store.log_tables import log_records as log_records
from broker.store.log_tables import witness_sizes as witness_sizes
from broker.store.metadata import METADATA as METADATA

# SQLite gives out row numbers only for INTEGER PRIMARY KEY; PostgreSQL wants the wide type.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# --- parties ---
enrolments = Table(
    "enrolments",
    METADATA,
    Column("kid", String(43), primary_key=True),
    Column("party_id", String(64), nullable=False),
    Column("role", String(20), nullable=False),
    Column("signing_key", LargeBinary(32), nullable=False),
    Column("document", Text, nullable=False),
    Column("state", String(10), nullable=False),  # pending, accepted
    Column("received_at", BigInteger, nullable=False),
    Column("accepted_at", BigInteger),
    Column("log_index", BigInteger),  # of ENROLMENT_ACCEPTED
)

spaces = Table(
    "spaces",
    METADATA,
    Column("space_id", LargeBinary(16), primary_key=True),
    Column("roster_version", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("founder_kid", String(43), nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("log_index", BigInteger, nullable=False),  # of SPACE_FOUNDED
)

salt_wraps = Table(
    "salt_wraps",
    METADATA,
    Column("space_id", LargeBinary(16), primary_key=True),
    Column("salt_id", LargeBinary(32), primary_key=True),
    Column("recipient_kid", String(43), primary_key=True),
    Column("document", Text, nullable=False),
)

# --- series and deposits ---
series = Table(
    "series",
    METADATA,
    Column("series_id", LargeBinary(32), primary_key=True),
    Column("space_id", LargeBinary(16), nullable=False),
    Column("contributor", String(64), nullable=False),
    Column("identifier_type", String(64), nullable=False),
    Column("manifest", Text, nullable=False),
    Column("key_digest", LargeBinary(32), nullable=False),
    Column("state", String(10), nullable=False),  # open, closed, withdrawn, destroyed, expired
    Column("retain_until", BigInteger, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("opened_index", BigInteger, nullable=False),  # of SERIES_OPENED
    Column("closing", Text),
    Column("withdrawal", Text),
    Column("withdrawn_index", BigInteger),
    Column("destroyed_index", BigInteger),
    Column("expired_index", BigInteger),
    Index("ix_series_space_type", "space_id", "identifier_type"),
)

# C_0 of every key ever opened, so that nobody can open a series with another's commitments.
first_commitments = Table(
    "first_commitments",
    METADATA,
    Column("commitment", LargeBinary(32), primary_key=True),
    Column("series_id", LargeBinary(32), ForeignKey("series.series_id"), nullable=False),
)

acceptances = Table(
    "acceptances",
    METADATA,
    Column("series_id", LargeBinary(32), ForeignKey("series.series_id"), primary_key=True),
    Column("holder_id", String(64), primary_key=True),
    Column("document", Text, nullable=False),
)

destruction_receipts = Table(
    "destruction_receipts",
    METADATA,
    Column("series_id", LargeBinary(32), ForeignKey("series.series_id"), primary_key=True),
    Column("holder_id", String(64), primary_key=True),
    Column("document", Text, nullable=False),
)

deposits = Table(
    "deposits",
    METADATA,
    Column("deposit_number", _NUMBER, primary_key=True, autoincrement=True),
    Column("deposit_id", LargeBinary(32), nullable=False, unique=True),
    Column("series_id", LargeBinary(32), ForeignKey("series.series_id"), nullable=False, index=True),
    Column("space_id", LargeBinary(16), nullable=False),
    Column("contributor", String(64), nullable=False),
    Column("declaration", Text, nullable=False),
    Column("size_class", Integer, nullable=False),
    Column("records_declared", BigInteger, nullable=False),
    Column("records_stored", BigInteger, nullable=False),
    Column("next_batch", Integer, nullable=False),
    Column("frontier", LargeBinary, nullable=False),  # running RFC 6962 root, see merkle.Frontier
    Column("state", String(10), nullable=False),  # admitted, complete, serving, withdrawn, expired
    Column("declared_at", BigInteger, nullable=False),
    Column("admitted_index", BigInteger, nullable=False),  # of DEPOSIT_ADMITTED
    Column("completed_index", BigInteger),
    Column("serving_index", BigInteger),
    Column("withdrawal", Text),  # of this deposit alone
    Column("withdrawn_index", BigInteger),
    Column("expired_index", BigInteger),
)

# Contributors' signed statements that records are taken back or replaced; the newest has the root that holds.
root_changes = Table(
    "root_changes",
    METADATA,
    Column("deposit_number", _NUMBER, ForeignKey("deposits.deposit_number"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("log_index", BigInteger, nullable=False),  # of RECORDS_WITHDRAWN or RECORDS_REPLACED
)

# Deposits the gate refused: a retry of the same document under the same bundle is told the same.
deposit_refusals = Table(
    "deposit_refusals",
    METADATA,
    Column("declaration_digest", LargeBinary(32), primary_key=True),
    Column("bundle_digest", LargeBinary(32), primary_key=True),
    Column("told", Text, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)

batches = Table(
    "batches",
    METADATA,
    Column("deposit_number", _NUMBER, ForeignKey("deposits.deposit_number"), primary_key=True),
    Column("batch_number", Integer, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("records", Integer, nullable=False),
)

# Clustered by (deposit, token): a request's tokens arrive sorted per deposit, so the join walks each deposit once.
# In PostgreSQL a partition for each deposit, see broker.store.partitions.
records = Table(
    "records",
    METADATA,
    Column("deposit_number", _NUMBER, primary_key=True, autoincrement=False),
    Column("token", LargeBinary(16), primary_key=True),
    Column("record_version", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    postgresql_partition_by="LIST (deposit_number)",
)

# --- requests ---
requests = Table(
    "requests",
    METADATA,
    Column("request_id", LargeBinary(16), primary_key=True),
    Column("space_id", LargeBinary(16), nullable=False),
    Column("requester", String(64), nullable=False),
    Column("tier", String(10), nullable=False),
    Column("request_digest", LargeBinary(32), nullable=False, index=True),
    Column("submission_digest", LargeBinary(32), nullable=False),
    Column("submission", LargeBinary, nullable=False),  # the papers: read again at the release
    Column("state", String(10), nullable=False),  # refused, admitted, tokens, releasing, released, failed
    Column("status", SmallInteger, nullable=False),  # of the stored answer
    Column("answer", LargeBinary, nullable=False),  # the exact answer given, for a retry
    Column("log_index", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
)

permits = Table(
    "permits",
    METADATA,
    Column("permit_id", LargeBinary(16), primary_key=True),
    Column("request_id", LargeBinary(16), ForeignKey("requests.request_id"), nullable=False, unique=True),
    Column("document", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("token_root", LargeBinary(32)),  # set once: the permit's single use
    Column("disclosure", LargeBinary),  # the exact answer given, for a retry
)

# Matched tokens only: the later tiers select from these. Unmatched tokens never reach the disk.
matches = Table(
    "matches",
    METADATA,
    Column("permit_id", LargeBinary(16), ForeignKey("permits.permit_id"), primary_key=True),
    Column("deposit_number", _NUMBER, primary_key=True),
    Column("token", LargeBinary(16), primary_key=True),
    Index("ix_matches_target", "deposit_number", "token"),
)

# Which records an answer told of, until the record is gone: a withdrawal finds its recipients by them.
told_records = Table(
    "told_records",
    METADATA,
    Column("permit_id", LargeBinary(16), ForeignKey("permits.permit_id"), primary_key=True),
    Column("deposit_number", _NUMBER, primary_key=True, autoincrement=False),
    Column("token_digest", LargeBinary(16), primary_key=True),
    Index("ix_told_records_record", "deposit_number", "token_digest"),
    sqlite_with_rowid=False,
)

# Of the lists that counts were told of: keyed sketches that stand for no single token, never the tokens.
counted_sets = Table(
    "counted_sets",
    METADATA,
    Column("request_id", LargeBinary(16), primary_key=True),
    Column("deposit_number", _NUMBER, primary_key=True),
    Column("space_id", LargeBinary(16), nullable=False),
    Column("requester", String(64), nullable=False),
    Column("counted_at", BigInteger, nullable=False, index=True),
    Column("salt", LargeBinary(32), nullable=False),
    Column("tokens", Integer, nullable=False),  # how many there were
    Column("digest", LargeBinary(32), nullable=False),
    Column("fingerprints", LargeBinary, nullable=False),
)

# What approvers told the broker themselves: refusals, approvals taken back, reviews of emergencies.
approver_statements = Table(
    "approver_statements",
    METADATA,
    Column("subject_digest", LargeBinary(32), primary_key=True),  # request, or approval taken back
    Column("kind", String(10), primary_key=True),  # refused, withdrawn, reviewed
    Column("kid", String(43), primary_key=True),
    Column("request_digest", LargeBinary(32), nullable=False, index=True),
    Column("document", Text, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)

# Contributors that are asked before their own records are released, and what they said.
release_asks = Table(
    "release_asks",
    METADATA,
    Column("permit_id", LargeBinary(16), ForeignKey("permits.permit_id"), primary_key=True),
    Column("deposit_number", _NUMBER, primary_key=True),
    Column("series_id", LargeBinary(32), nullable=False),
    Column("contributor", String(64), nullable=False, index=True),
    Column("tokens", LargeBinary, nullable=False),  # of its own records that are asked for
    Column("asked_at", BigInteger, nullable=False),
    Column("until_at", BigInteger, nullable=False),
    Column("answer", Text),  # the contributor's signed release or refusal
    Column("answered_index", BigInteger),
)

# What requesters were told and is taken back: the broker's notices, and the requesters' acknowledgements.
retraction_notices = Table(
    "retraction_notices",
    METADATA,
    Column("notice_id", LargeBinary(16), primary_key=True),
    Column("requester", String(64), nullable=False, index=True),
    Column("document", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("noticed_index", BigInteger, nullable=False),  # of RETRACTION_NOTICED
    Column("shown_index", BigInteger),  # of the first RETRACTION_SHOWN that has it
    Column("acknowledgement", Text),
    Column("acknowledged_index", BigInteger),
    Column("contest_digest", LargeBinary(32), index=True),  # of the withdrawal, where it tells of a contest
)

# Records that were taken back as contested, by the digest of the withdrawal, and how that ended.
contest_statements = Table(
    "contest_statements",
    METADATA,
    Column("withdrawal_digest", LargeBinary(32), primary_key=True),
    Column("state", String(16), primary_key=True),
    Column("deposit_id", LargeBinary(32), nullable=False),
    Column("space_id", LargeBinary(16), nullable=False),
    Column("contributor", String(64), nullable=False),
    Column("document", Text, nullable=False),
    Column("log_index", BigInteger, nullable=False),  # of CONTEST_STATED
)

# Sealed records that were released, until their answer needs no retry or they are taken back, whichever is first.
released_records = Table(
    "released_records",
    METADATA,
    Column("permit_id", LargeBinary(16), ForeignKey("permits.permit_id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),  # in the answer
    Column("deposit_number", _NUMBER, nullable=False, index=True),
    Column("token", LargeBinary(16), nullable=False),
    Column("body", LargeBinary, nullable=False),  # the record as it goes over the wire, still sealed
)

# What each requester used: identifiers asked, matches found, privacy loss of counts.
ledger = Table(
    "ledger",
    METADATA,
    Column("entry", _NUMBER, primary_key=True, autoincrement=True),
    Column("space_id", LargeBinary(16), nullable=False),
    Column("requester", String(64), nullable=False),
    Column("request_id", LargeBinary(16), nullable=False),
    Column("ladder_id", LargeBinary(16)),  # the first request of the ladder that this one goes on with
    Column("charged_at", BigInteger, nullable=False),
    Column("identifiers", BigInteger, nullable=False),
    Column("hits", BigInteger, nullable=False),
    Column("epsilon_millis", BigInteger, nullable=False),
    Column("review_due_at", BigInteger),  # of an emergency disclosure
    Column("reviewed_at", BigInteger),
    UniqueConstraint("request_id"),
    Index("ix_ledger_requester", "space_id", "requester", "charged_at"),
)

# --- outcomes and statistics ---
# The requesters' signed reports: numbers and digests, no token.
outcome_reports = Table(
    "outcome_reports",
    METADATA,
    Column("request_id", LargeBinary(16), ForeignKey("requests.request_id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("log_index", BigInteger, nullable=False),  # of OUTCOME_REPORTED
)

# How a series was asked and what was reported of its matches, until the month is published; then the rows are deleted.
askings = Table(
    "askings",
    METADATA,
    Column("entry", _NUMBER, primary_key=True, autoincrement=True),
    Column("month", String(7), nullable=False, index=True),
    Column("series_id", LargeBinary(32), nullable=False),
    Column("requester", String(64), nullable=False),
    Column("verdict", String(10), nullable=False),  # admitted, left_out, refused
    Column("tier", String(10), nullable=False),
    Column("rules", Text, nullable=False),  # a space between
    Column("instrument", String(64)),  # NULL here and below: not verified
    Column("purpose", String(40)),
    Column("offence", String(40)),
)

outcomes = Table(
    "outcomes",
    METADATA,
    Column("request_id", LargeBinary(16), primary_key=True),
    Column("series_id", LargeBinary(32), primary_key=True),
    Column("month", String(7), primary_key=True, index=True),
    Column("requester", String(64), nullable=False),
    Column("told", Text, nullable=False),  # kinds of outcome, a space between
)

# What contributors may be told of a month: made once, then fixed.
statistics = Table(
    "statistics",
    METADATA,
    Column("series_id", LargeBinary(32), primary_key=True),
    Column("month", String(7), primary_key=True),
    Column("published", Text, nullable=False),
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
    Column("call_digest", LargeBinary(32), nullable=False),  # method, path and body
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# --- the rules ---
bundle_activations = Table(
    "bundle_activations",
    METADATA,
    Column("activation", _NUMBER, primary_key=True, autoincrement=True),
    Column("bundle_digest", LargeBinary(32), nullable=False),
    Column("activated_at", BigInteger, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)
