"""Permits without the decision: it stands in the log's record, and nobody read it here."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this version."""
    op.drop_column("permits", "decision")


def downgrade() -> None:
    """Undo this version. Empty as after an erasure: the decisions are in the log's records."""
    op.add_column("permits", sa.Column("decision", sa.Text(), nullable=False, server_default=""))
