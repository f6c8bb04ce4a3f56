"""Contested records: statements, and which notices told of them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this version."""
    op.add_column(
        "retraction_notices", sa.Column("contest_digest", sa.LargeBinary(length=32), nullable=True)
    )
    op.create_index(
        op.f("ix_retraction_notices_contest_digest"), "retraction_notices", ["contest_digest"]
    )
    op.create_table(
        "contest_statements",
        sa.Column("withdrawal_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("deposit_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("space_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("contributor", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("withdrawal_digest", "state", name=op.f("pk_contest_statements")),
    )


def downgrade() -> None:
    """Undo this version."""
    op.drop_table("contest_statements")
    op.drop_index(op.f("ix_retraction_notices_contest_digest"), table_name="retraction_notices")
    op.drop_column("retraction_notices", "contest_digest")
