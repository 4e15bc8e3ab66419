"""Routing rules: their order, their versions, what they hit and looked at, dry runs, the answers they wish for; and the texts
that agents answer with.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.tenancy import protect, unprotect

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
TABLES = ("routing_rules", "routing_rule_versions", "rule_hits", "rule_looks", "rule_dry_runs", "rule_answers", "templates")


def upgrade() -> None:
    op.create_table(
        "routing_rules",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", INSTANT, nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_routing_rules_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_routing_rules")),
    )
    op.create_index(
        "ix_routing_rules_order",
        "routing_rules",
        ["tenant_id", "position", "id"],
        unique=False,
        postgresql_where=sa.text("deleted_at is null"),
    )
    protect("routing_rules")
    op.create_table(
        "routing_rule_versions",
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("shadow", sa.Boolean(), nullable=False),
        sa.Column("stop", sa.Boolean(), nullable=False),
        sa.Column("trigger", sa.Text(), server_default="message", nullable=False),
        sa.Column("condition", JSONB(), nullable=False),
        sa.Column("actions", JSONB(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("trigger in ('message', 'change')", name=op.f("ck_routing_rule_versions_trigger")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "rule_id"],
            ["routing_rules.tenant_id", "routing_rules.id"],
            name=op.f("fk_routing_rule_versions_tenant_id_rule_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("rule_id", "version", "tenant_id", name=op.f("pk_routing_rule_versions")),
    )
    protect("routing_rule_versions")
    op.create_table(
        "rule_hits",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.Text(), server_default="m", nullable=False),
        sa.Column("shadow", sa.Boolean(), nullable=False),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("outcomes", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["messages.tenant_id", "messages.id"],
            name=op.f("fk_rule_hits_tenant_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "rule_id"],
            ["routing_rules.tenant_id", "routing_rules.id"],
            name=op.f("fk_rule_hits_tenant_id_rule_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_rule_hits")),
        sa.UniqueConstraint(
            "tenant_id", "message_id", "rule_id", "cause", name=op.f("uq_rule_hits_tenant_id_message_id_rule_id_cause")
        ),
    )
    op.create_index("ix_rule_hits_rule", "rule_hits", ["tenant_id", "rule_id", sa.literal_column("id desc")], unique=False)
    protect("rule_hits")
    op.create_table(
        "rule_looks",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("rules", JSONB(), nullable=False),
        sa.Column("facts", JSONB(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["messages.tenant_id", "messages.id"],
            name=op.f("fk_rule_looks_tenant_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("message_id", "tenant_id", name=op.f("pk_rule_looks")),
    )
    protect("rule_looks")
    op.create_table(
        "rule_dry_runs",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("rule", JSONB(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=True),
        sa.Column("days", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("behind", sa.Uuid(), nullable=True),
        sa.Column("newest", sa.Uuid(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("matched", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unknown", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("counts", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("sample", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("state in ('running', 'done')", name=op.f("ck_rule_dry_runs_state")),
        sa.CheckConstraint("days between 1 and 90", name=op.f("ck_rule_dry_runs_days")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_rule_dry_runs_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_rule_dry_runs")),
    )
    op.create_index(op.f("ix_rule_dry_runs_created_at"), "rule_dry_runs", ["created_at"], unique=False)
    protect("rule_dry_runs")
    op.create_table(
        "rule_answers",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_rule_answers_tenant_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("conversation_id", "tenant_id", name=op.f("pk_rule_answers")),
    )
    protect("rule_answers")
    op.create_table(
        "templates",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("shortcut", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("body_html", sa.Text(), server_default="", nullable=False),
        sa.Column("body_text", sa.Text(), server_default="", nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("files", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("uses", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", INSTANT, nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("num_nonnulls(inbox_id, user_id) <= 1", name=op.f("ck_templates_scope")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_templates_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_templates_tenant_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_templates_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_templates")),
    )
    op.create_index(
        "uq_templates_shortcut",
        "templates",
        ["tenant_id", "shortcut", "inbox_id", "user_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("shortcut is not null and deleted_at is null"),
    )
    protect("templates")


def downgrade() -> None:
    for table in reversed(TABLES):
        unprotect(table)
        op.drop_table(table)
