"""Restores: from which cluster these rows come and how often they were brought back; open quarantine and gaps by index."""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import system_only

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "restores",
        sa.Column("era", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("sends_doubted", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("era", name=op.f("pk_restores")),
    )
    system_only("restores")
    op.create_index(
        "ix_quarantine_open",
        "quarantine",
        ["first_at"],
        unique=False,
        postgresql_where=sa.text("resolved_at is null"),
    )
    op.create_index(
        "ix_gaps_open", "gaps", ["opened_at"], unique=False, postgresql_where=sa.text("closed_at is null")
    )


def downgrade() -> None:
    op.drop_index("ix_gaps_open", table_name="gaps")
    op.drop_index("ix_quarantine_open", table_name="quarantine")
    op.drop_table("restores")
