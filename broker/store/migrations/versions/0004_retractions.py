"""Notices of what was taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this version."""
    op.create_table(
        "retraction_notices",
        sa.Column("notice_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("noticed_index", sa.BigInteger(), nullable=False),
        sa.Column("shown_index", sa.BigInteger(), nullable=True),
        sa.Column("acknowledgement", sa.Text(), nullable=True),
        sa.Column("acknowledged_index", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("pk_retraction_notices")),
    )
    op.create_index(op.f("ix_retraction_notices_requester"), "retraction_notices", ["requester"])


def downgrade() -> None:
    """Undo this version."""
    op.drop_index(op.f("ix_retraction_notices_requester"), table_name="retraction_notices")
    op.drop_table("retraction_notices")
