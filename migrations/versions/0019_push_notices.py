"""Announcements of Gmail and Graph, each once; what watches an inbox was granted, and when they are to be renewed."""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect, unprotect

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
COLUMNS = (
    ("gmail_watch_expires_at", INSTANT),
    ("graph_subscription_id", sa.Text()),
    ("graph_subscription_expires_at", INSTANT),
    ("graph_client_state_hash", sa.Text()),
    ("watch_due_at", INSTANT),
)


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("inboxes", sa.Column(name, kind, nullable=True))
    op.add_column("inboxes", sa.Column("watch_failures", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(
        "ix_inboxes_gmail_address",
        "inboxes",
        [sa.text("lower(email_address)")],
        postgresql_where=sa.text("provider = 'gmail' and deleted_at is null"),
    )
    op.create_index(
        "uq_inboxes_graph_subscription_id",
        "inboxes",
        ["graph_subscription_id"],
        unique=True,
        postgresql_where=sa.text("graph_subscription_id is not null"),
    )
    op.create_table(
        "push_notices",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("history_id", sa.BigInteger(), nullable=True),
        sa.Column("news", sa.Boolean(), nullable=False),
        sa.Column("received_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_push_notices_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_push_notices_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_push_notices")),
        sa.UniqueConstraint("tenant_id", "inbox_id", "event_id", name=op.f("uq_push_notices_tenant_id_inbox_id_event_id")),
    )
    op.create_index("ix_push_notices_received", "push_notices", ["tenant_id", "inbox_id", "received_at"])
    op.create_index("ix_push_notices_history", "push_notices", ["tenant_id", "inbox_id", "history_id"])
    protect("push_notices")


def downgrade() -> None:
    unprotect("push_notices")
    op.drop_table("push_notices")
    op.drop_index("uq_inboxes_graph_subscription_id", table_name="inboxes")
    op.drop_index("ix_inboxes_gmail_address", table_name="inboxes")
    op.drop_column("inboxes", "watch_failures")
    for name, _ in reversed(COLUMNS):
        op.drop_column("inboxes", name)
