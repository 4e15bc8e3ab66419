"""Figures as sums by the hour: mails, durations in buckets, backlog, and what each conversation has added to them."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.tenancy import protect

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

NOBODY = sa.text("'00000000-0000-0000-0000-000000000000'")
TABLES = ("mail_hours", "duration_hours", "conversation_figures", "backlog_hours")


def _by_hour(table: str, *columns: sa.Column[Any], key: tuple[str, ...], checks: tuple[sa.CheckConstraint, ...] = ()) -> None:
    op.create_table(
        table,
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        *columns,
        *checks,
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"], ["inboxes.tenant_id", "inboxes.id"], ondelete="CASCADE", name=op.f(f"fk_{table}_tenant_id_inboxes")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "hour", "inbox_id", *key, name=op.f(f"pk_{table}")),
    )
    protect(table)


def upgrade() -> None:
    _by_hour(
        "mail_hours",
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), server_default=NOBODY, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        key=("flow", "agent_id"),
        checks=(sa.CheckConstraint("flow in ('received', 'sent', 'auto')", name=op.f("ck_mail_hours_flow")),),
    )
    _by_hour(
        "duration_hours",
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("team_id", sa.Uuid(), server_default=NOBODY, nullable=False),
        sa.Column("agent_id", sa.Uuid(), server_default=NOBODY, nullable=False),
        sa.Column("bucket", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        key=("measure", "team_id", "agent_id", "bucket"),
    )
    _by_hour(
        "backlog_hours",
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("open", "pending", "snoozed", "unassigned")),
        key=(),
    )
    op.create_table(
        "conversation_figures",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("figures", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            ondelete="CASCADE",
            name=op.f("fk_conversation_figures_tenant_id_conversations"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "conversation_id", name=op.f("pk_conversation_figures")),
    )
    protect("conversation_figures")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
