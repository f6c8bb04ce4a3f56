"""The first schema: written by Alembic from `broker.store.tables`; never changed, later versions build on it."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this version."""
    op.create_table(
        "bundle_activations",
        sa.Column(
            "activation",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("bundle_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("activated_at", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("activation", name=op.f("pk_bundle_activations")),
    )
    op.create_table(
        "deposit_refusals",
        sa.Column("declaration_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("bundle_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("declaration_digest", "bundle_digest", name=op.f("pk_deposit_refusals")),
    )
    op.create_table(
        "enrolments",
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("party_id", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("signing_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=True),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_enrolments")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("idempotency_key", sa.String(length=64), nullable=False),
        sa.Column("call_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kid", "idempotency_key", name=op.f("pk_idempotency_keys")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_keys_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "ledger",
        sa.Column(
            "entry", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("space_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("charged_at", sa.BigInteger(), nullable=False),
        sa.Column("identifiers", sa.BigInteger(), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("epsilon_millis", sa.BigInteger(), nullable=False),
        sa.Column("review_due_at", sa.BigInteger(), nullable=True),
        sa.Column("reviewed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_ledger")),
        sa.UniqueConstraint("request_id", name=op.f("uq_ledger_request_id")),
    )
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_requester", ["space_id", "requester", "charged_at"], unique=False)

    op.create_table(
        "log_head",
        sa.Column("only", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_log_head")),
    )
    op.create_table(
        "log_leaves",
        sa.Column("leaf_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index", name=op.f("pk_log_leaves")),
    )
    op.create_table(
        "log_nodes",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("node_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("level", "node_index", name=op.f("pk_log_nodes")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_records",
        sa.Column("leaf_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=True),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("leaf_index", name=op.f("pk_log_records")),
    )
    op.create_table(
        "nonces",
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kid", "nonce", name=op.f("pk_nonces")),
    )
    with op.batch_alter_table("nonces", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_nonces_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "records",
        sa.Column(
            "deposit_number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("token", sa.LargeBinary(length=16), nullable=False),
        sa.Column("record_version", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("deposit_number", "token", name=op.f("pk_records")),
        sqlite_with_rowid=False,
        postgresql_partition_by="LIST (deposit_number)",
    )
    op.create_table(
        "requests",
        sa.Column("request_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("space_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("tier", sa.String(length=10), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("submission_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("submission", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_requests")),
    )
    op.create_index("ix_requests_request_digest", "requests", ["request_digest"])
    op.create_table(
        "salt_wraps",
        sa.Column("space_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("salt_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("recipient_kid", sa.String(length=43), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("space_id", "salt_id", "recipient_kid", name=op.f("pk_salt_wraps")),
    )
    op.create_table(
        "series",
        sa.Column("series_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("space_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("contributor", sa.String(length=64), nullable=False),
        sa.Column("identifier_type", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("retain_until", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_index", sa.BigInteger(), nullable=False),
        sa.Column("closing", sa.Text(), nullable=True),
        sa.Column("withdrawal", sa.Text(), nullable=True),
        sa.Column("withdrawn_index", sa.BigInteger(), nullable=True),
        sa.Column("destroyed_index", sa.BigInteger(), nullable=True),
        sa.Column("expired_index", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("series_id", name=op.f("pk_series")),
    )
    with op.batch_alter_table("series", schema=None) as batch_op:
        batch_op.create_index("ix_series_space_type", ["space_id", "identifier_type"], unique=False)

    op.create_table(
        "spaces",
        sa.Column("space_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("roster_version", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("founder_kid", sa.String(length=43), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("space_id", "roster_version", name=op.f("pk_spaces")),
    )
    op.create_table(
        "acceptances",
        sa.Column("series_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("holder_id", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["series.series_id"], name=op.f("fk_acceptances_series_id")),
        sa.PrimaryKeyConstraint("series_id", "holder_id", name=op.f("pk_acceptances")),
    )
    op.create_table(
        "deposits",
        sa.Column(
            "deposit_number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("deposit_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("series_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("space_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("contributor", sa.String(length=64), nullable=False),
        sa.Column("declaration", sa.Text(), nullable=False),
        sa.Column("size_class", sa.Integer(), nullable=False),
        sa.Column("records_declared", sa.BigInteger(), nullable=False),
        sa.Column("records_stored", sa.BigInteger(), nullable=False),
        sa.Column("next_batch", sa.Integer(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("declared_at", sa.BigInteger(), nullable=False),
        sa.Column("admitted_index", sa.BigInteger(), nullable=False),
        sa.Column("completed_index", sa.BigInteger(), nullable=True),
        sa.Column("serving_index", sa.BigInteger(), nullable=True),
        sa.Column("withdrawal", sa.Text(), nullable=True),
        sa.Column("withdrawn_index", sa.BigInteger(), nullable=True),
        sa.Column("expired_index", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["series_id"], ["series.series_id"], name=op.f("fk_deposits_series_id")),
        sa.PrimaryKeyConstraint("deposit_number", name=op.f("pk_deposits")),
        sa.UniqueConstraint("deposit_id", name=op.f("uq_deposits_deposit_id")),
    )
    with op.batch_alter_table("deposits", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_deposits_series_id"), ["series_id"], unique=False)

    op.create_table(
        "destruction_receipts",
        sa.Column("series_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("holder_id", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.series_id"], name=op.f("fk_destruction_receipts_series_id")
        ),
        sa.PrimaryKeyConstraint("series_id", "holder_id", name=op.f("pk_destruction_receipts")),
    )
    op.create_table(
        "first_commitments",
        sa.Column("commitment", sa.LargeBinary(length=32), nullable=False),
        sa.Column("series_id", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.series_id"], name=op.f("fk_first_commitments_series_id")
        ),
        sa.PrimaryKeyConstraint("commitment", name=op.f("pk_first_commitments")),
    )
    op.create_table(
        "permits",
        sa.Column("permit_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("request_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("token_root", sa.LargeBinary(length=32), nullable=True),
        sa.Column("disclosure", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["request_id"], ["requests.request_id"], name=op.f("fk_permits_request_id")),
        sa.PrimaryKeyConstraint("permit_id", name=op.f("pk_permits")),
        sa.UniqueConstraint("request_id", name=op.f("uq_permits_request_id")),
    )
    op.create_table(
        "root_changes",
        sa.Column("deposit_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deposit_number"],
            ["deposits.deposit_number"],
            name=op.f("fk_root_changes_deposit_number"),
        ),
        sa.PrimaryKeyConstraint("deposit_number", "number", name=op.f("pk_root_changes")),
    )
    op.create_table(
        "batches",
        sa.Column("deposit_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch_number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deposit_number"], ["deposits.deposit_number"], name=op.f("fk_batches_deposit_number")
        ),
        sa.PrimaryKeyConstraint("deposit_number", "batch_number", name=op.f("pk_batches")),
    )
    op.create_table(
        "matches",
        sa.Column("permit_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("deposit_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(["permit_id"], ["permits.permit_id"], name=op.f("fk_matches_permit_id")),
        sa.PrimaryKeyConstraint("permit_id", "deposit_number", "token", name=op.f("pk_matches")),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Statistics are samples: tokens and sealed bytes that would outlive their rows.
        for table, column in (("records", "token"), ("records", "sealed"), ("matches", "token")):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")


def downgrade() -> None:
    """Undo this version."""
    op.drop_table("matches")
    op.drop_table("batches")
    op.drop_table("root_changes")
    op.drop_table("permits")
    op.drop_table("first_commitments")
    op.drop_table("destruction_receipts")
    with op.batch_alter_table("deposits", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_deposits_series_id"))

    op.drop_table("deposits")
    op.drop_table("acceptances")
    op.drop_table("spaces")
    with op.batch_alter_table("series", schema=None) as batch_op:
        batch_op.drop_index("ix_series_space_type")

    op.drop_table("series")
    op.drop_table("salt_wraps")
    op.drop_table("requests")
    op.drop_table("records")
    with op.batch_alter_table("nonces", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_nonces_expires_at"))

    op.drop_table("nonces")
    op.drop_table("log_records")
    op.drop_table("log_nodes")
    op.drop_table("log_leaves")
    op.drop_table("log_head")
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.drop_index("ix_ledger_requester")

    op.drop_table("ledger")
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_keys_expires_at"))

    op.drop_table("idempotency_keys")
    op.drop_table("enrolments")
    op.drop_table("deposit_refusals")
    op.drop_table("bundle_activations")
