"""What approvers state, what contributors are asked and told, and what came of matches."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this version."""
    op.create_table(
        "approver_statements",
        sa.Column("subject_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject_digest", "kind", "kid", name=op.f("pk_approver_statements")),
    )
    op.create_index("ix_approver_statements_request_digest", "approver_statements", ["request_digest"])
    op.create_table(
        "release_asks",
        sa.Column("permit_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("deposit_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("series_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("contributor", sa.String(length=64), nullable=False),
        sa.Column("tokens", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_index", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["permit_id"], ["permits.permit_id"], name=op.f("fk_release_asks_permit_id")),
        sa.PrimaryKeyConstraint("permit_id", "deposit_number", name=op.f("pk_release_asks")),
    )
    op.create_index("ix_release_asks_contributor", "release_asks", ["contributor"])
    op.create_table(
        "released_records",
        sa.Column("permit_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("deposit_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token", sa.LargeBinary(length=16), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["permit_id"], ["permits.permit_id"], name=op.f("fk_released_records_permit_id")
        ),
        sa.PrimaryKeyConstraint("permit_id", "position", name=op.f("pk_released_records")),
    )
    op.create_index("ix_released_records_deposit_number", "released_records", ["deposit_number"])
    op.create_table(
        "askings",
        sa.Column(
            "entry", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("series_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("tier", sa.String(length=10), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("instrument", sa.String(length=64), nullable=True),
        sa.Column("purpose", sa.String(length=40), nullable=True),
        sa.Column("offence", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_askings")),
    )
    with op.batch_alter_table("askings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_askings_month"), ["month"], unique=False)

    op.create_table(
        "outcomes",
        sa.Column("request_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("series_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", "series_id", "month", name=op.f("pk_outcomes")),
    )
    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outcomes_month"), ["month"], unique=False)

    op.create_table(
        "statistics",
        sa.Column("series_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("published", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("series_id", "month", name=op.f("pk_statistics")),
    )
    op.create_table(
        "outcome_reports",
        sa.Column("request_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.request_id"], name=op.f("fk_outcome_reports_request_id")
        ),
        sa.PrimaryKeyConstraint("request_id", "number", name=op.f("pk_outcome_reports")),
    )
    op.create_table(
        "counted_sets",
        sa.Column("request_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("deposit_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("counted_at", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("fingerprints", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", "deposit_number", name=op.f("pk_counted_sets")),
    )
    op.create_index("ix_counted_sets_counted_at", "counted_sets", ["counted_at"])
    op.create_index("ix_matches_target", "matches", ["deposit_number", "token"])
    with op.batch_alter_table("ledger", recreate="auto") as batch_op:
        batch_op.add_column(sa.Column("ladder_id", sa.LargeBinary(length=16), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        # Statistics are samples: tokens that would outlive their rows.
        for table, column in (
            ("release_asks", "tokens"),
            ("released_records", "token"),
            ("released_records", "body"),
            ("counted_sets", "digest"),
            ("counted_sets", "salt"),
            ("counted_sets", "fingerprints"),
        ):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")


def downgrade() -> None:
    """Undo this version."""
    with op.batch_alter_table("ledger") as batch_op:
        batch_op.drop_column("ladder_id")
    op.drop_index("ix_matches_target", "matches")
    op.drop_table("counted_sets")
    op.drop_table("released_records")
    op.drop_table("release_asks")
    op.drop_table("approver_statements")
    op.drop_table("outcome_reports")
    op.drop_table("statistics")
    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outcomes_month"))

    op.drop_table("outcomes")
    with op.batch_alter_table("askings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_askings_month"))

    op.drop_table("askings")
