"""Re-ingest: its runs, and what each would change."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.tenancy import protect, unprotect

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reingests",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("selection", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="planning", nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.Text(), server_default="system", nullable=False),
        sa.Column("parser_version", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("newest", sa.Uuid(), nullable=False),
        sa.Column("planned_to", sa.Uuid(), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("outdated", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("to_apply", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("applied", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "failures", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("apply_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "state in ('planning', 'planned', 'applying', 'applied', 'cancelled')", name=op.f("ck_reingests_state")
        ),
        sa.CheckConstraint("total >= 0 and done >= 0", name=op.f("ck_reingests_counts")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asked_by"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_reingests_tenant_id_asked_by"),
            ondelete="SET NULL (asked_by)",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_reingests_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_reingests")),
    )
    op.create_index(
        "ix_reingests_under_way",
        "reingests",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state in ('planning', 'applying') and paused_at is null"),
    )
    op.create_table(
        "reingest_changes",
        sa.Column("reingest_id", sa.Uuid(), nullable=False),
        sa.Column("ledger_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("kinds", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("before", sa.Text(), server_default="", nullable=False),
        sa.Column("after", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("state", sa.Text(), server_default="planned", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "state in ('planned', 'applied', 'stale', 'refused', 'unread')", name=op.f("ck_reingest_changes_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "reingest_id"],
            ["reingests.tenant_id", "reingests.id"],
            name=op.f("fk_reingest_changes_tenant_id_reingest_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "ledger_id"],
            ["ledger.tenant_id", "ledger.id"],
            name=op.f("fk_reingest_changes_tenant_id_ledger_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_reingest_changes_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("reingest_id", "ledger_id", "tenant_id", name=op.f("pk_reingest_changes")),
    )
    op.create_index("ix_reingest_changes_ledger", "reingest_changes", ["tenant_id", "ledger_id"], unique=False)
    op.create_index(
        "ix_reingest_changes_to_apply",
        "reingest_changes",
        ["tenant_id", "reingest_id", "ledger_id"],
        unique=False,
        postgresql_where=sa.text("state = 'planned'"),
    )
    protect("reingests")
    protect("reingest_changes")


def downgrade() -> None:
    unprotect("reingest_changes")
    unprotect("reingests")
    op.drop_table("reingest_changes")
    op.drop_table("reingests")
