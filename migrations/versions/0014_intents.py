"""What is to be written back to the mail server: one row for each message and kind."""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect, unprotect

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "intents",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("asked_by", sa.Text(), server_default="system", nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("kind in ('read')", name=op.f("ck_intents_kind")),
        sa.CheckConstraint(
            "state in ('open', 'done', 'superseded', 'gone', 'refused', 'withdrawn')", name=op.f("ck_intents_state")
        ),
        sa.CheckConstraint("(state = 'open') = (closed_at is null)", name=op.f("ck_intents_closed_at")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_intents_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["messages.tenant_id", "messages.id"],
            name=op.f("fk_intents_tenant_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_intents_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_intents")),
        sa.UniqueConstraint("tenant_id", "message_id", "kind", name=op.f("uq_intents_tenant_id_message_id_kind")),
    )
    op.create_index(
        "ix_intents_open",
        "intents",
        ["tenant_id", "inbox_id", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    protect("intents")


def downgrade() -> None:
    unprotect("intents")
    op.drop_table("intents")
