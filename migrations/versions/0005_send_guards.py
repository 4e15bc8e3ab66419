"""Guards of what we send: whom an answer goes to, budgets that were used up, copies in Sent to try again, fuller timelines."""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect, unprotect

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COPY_DUE = "copy_due_at is not null"


def upgrade() -> None:
    op.add_column("messages", sa.Column("return_path", sa.Text(), nullable=True))
    op.add_column("messages", sa.Column("copy_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("messages", sa.Column("copy_tries", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(
        "ix_messages_copy_due", "messages", ["copy_due_at"], unique=False, postgresql_where=sa.text(COPY_DUE)
    )
    op.add_column("send_steps", sa.Column("next_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("auto_response_claims", sa.Column("about_message_id", sa.Uuid(), nullable=True))
    op.add_column("auto_response_claims", sa.Column("workflow_run", sa.Text(), nullable=True))
    op.create_table(
        "loop_breaches",
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("correspondent_key", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_back", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "budget in ('correspondent', 'everywhere', 'inbox', 'tenant', 'incoming-sender', 'incoming-inbox')",
            name=op.f("ck_loop_breaches_budget"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_loop_breaches_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_loop_breaches_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "inbox_id", "budget", "correspondent_key", "tenant_id", name=op.f("pk_loop_breaches")
        ),
    )
    protect("loop_breaches")


def downgrade() -> None:
    unprotect("loop_breaches")
    op.drop_table("loop_breaches")
    op.drop_column("auto_response_claims", "workflow_run")
    op.drop_column("auto_response_claims", "about_message_id")
    op.drop_column("send_steps", "next_at")
    op.drop_index("ix_messages_copy_due", table_name="messages", postgresql_where=sa.text(COPY_DUE))
    op.drop_column("messages", "copy_tries")
    op.drop_column("messages", "copy_due_at")
    op.drop_column("messages", "return_path")
