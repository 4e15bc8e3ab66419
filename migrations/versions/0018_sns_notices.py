"""Messages of SNS that were proven and wait to be applied; they belong to no tenant until their mail is found."""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import system_only

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sns_notices",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('waiting', 'applied', 'unmatched', 'ignored', 'failed')", name=op.f("ck_sns_notices_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sns_notices")),
        sa.UniqueConstraint("message_id", name=op.f("uq_sns_notices_message_id")),
    )
    op.create_index(
        "ix_sns_notices_waiting",
        "sns_notices",
        ["attempts", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(op.f("ix_sns_notices_received_at"), "sns_notices", ["received_at"], unique=False)
    system_only("sns_notices")


def downgrade() -> None:
    op.drop_table("sns_notices")
