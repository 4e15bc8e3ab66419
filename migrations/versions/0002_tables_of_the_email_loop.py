"""The tables of the email loop."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.base import TsVector, Xid8

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event_cursors",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("xid", Xid8(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", name=op.f("pk_event_cursors")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=True),
        sa.Column("conversation_id", sa.Uuid(), nullable=True),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="system", nullable=False),
        sa.Column(
            "payload", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "causality",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", "created_at", name=op.f("pk_events")),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index("ix_events_log", "events", ["tenant_id", "xid", "id"], unique=False)
    op.create_index(
        "ix_events_message",
        "events",
        ["tenant_id", "message_id"],
        unique=False,
        postgresql_where=sa.text("message_id is not null"),
    )
    op.create_index("ix_events_reader", "events", ["xid", "id"], unique=False)
    op.create_table(
        "login_attempts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("key_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_attempts")),
    )
    op.create_index(
        op.f("ix_login_attempts_key_sha256_at"), "login_attempts", ["key_sha256", "at"], unique=False
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("next_conversation_number", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenants_slug")),
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("company", sa.Text(), server_default="", nullable=False),
        sa.Column("vip", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "custom", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_contacts_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_contacts")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default="started", nullable=False),
        sa.Column("response_status", sa.BigInteger(), nullable=True),
        sa.Column("response", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("state in ('started', 'done')", name=op.f("ck_idempotency_keys_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_idempotency_keys_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", "tenant_id", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "suppressed_addresses",
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "reason in ('bounce', 'complaint', 'unsubscribe', 'manual')",
            name=op.f("ck_suppressed_addresses_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_suppressed_addresses_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("address_key", "tenant_id", name=op.f("pk_suppressed_addresses")),
    )
    op.create_table(
        "tags",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("color", sa.Text(), server_default="#64748b", nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("length(name) between 1 and 50", name=op.f("ck_tags_name")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_tags_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_tags")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_tags_tenant_id_name")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), server_default="agent", nullable=False),
        sa.Column("status", sa.Text(), server_default="offline", nullable=False),
        sa.Column("capacity", sa.BigInteger(), server_default="20", nullable=False),
        sa.Column("skills", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("languages", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("seniority", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("signature_html", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("role in ('owner', 'admin', 'agent', 'viewer')", name=op.f("ck_users_role")),
        sa.CheckConstraint("status in ('online', 'away', 'offline')", name=op.f("ck_users_status")),
        sa.CheckConstraint("capacity >= 0", name=op.f("ck_users_capacity")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_users_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_users")),
        sa.UniqueConstraint("email_key", name=op.f("uq_users_email_key")),
    )
    op.create_table(
        "workspaces",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_workspaces_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_workspaces")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("key_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "created_by"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_api_keys_tenant_id_created_by"),
            ondelete="SET NULL (created_by)",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_api_keys_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
    )
    op.create_table(
        "contact_identities",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("identifier_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "channel in ('email', 'sms', 'whatsapp', 'slack', 'discord', 'telegram', 'teams', 'voice')",
            name=op.f("ck_contact_identities_channel"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"],
            ["contacts.tenant_id", "contacts.id"],
            name=op.f("fk_contact_identities_tenant_id_contact_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_contact_identities_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_contact_identities")),
        sa.UniqueConstraint(
            "tenant_id",
            "channel",
            "identifier_key",
            name=op.f("uq_contact_identities_tenant_id_channel_identifier_key"),
        ),
    )
    op.create_table(
        "inboxes",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.Text(), server_default="email", nullable=False),
        sa.Column("provider", sa.Text(), server_default="imap", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email_address", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("credentials_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("credentials_key_id", sa.Text(), nullable=True),
        sa.Column("health", sa.Text(), server_default="connecting", nullable=False),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("auth_failures", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("auto_response_enabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("auto_response_subject", sa.Text(), server_default="", nullable=False),
        sa.Column("auto_response_body", sa.Text(), server_default="", nullable=False),
        sa.Column("auto_response_html", sa.Text(), nullable=True),
        sa.Column("signature_html", sa.Text(), nullable=True),
        sa.Column("undo_send_seconds", sa.BigInteger(), server_default="5", nullable=False),
        sa.Column("max_syncs_per_hour", sa.BigInteger(), server_default="60", nullable=False),
        sa.Column("backfill_days", sa.BigInteger(), server_default="90", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "channel in ('email', 'sms', 'whatsapp', 'slack', 'discord', 'telegram', 'teams', 'voice')",
            name=op.f("ck_inboxes_channel"),
        ),
        sa.CheckConstraint(
            "health in ('connecting', 'ok', 'degraded', 'auth_failed', 'paused')",
            name=op.f("ck_inboxes_health"),
        ),
        sa.CheckConstraint("provider in ('imap', 'gmail', 'graph', 'ses')", name=op.f("ck_inboxes_provider")),
        sa.CheckConstraint("backfill_days >= 0", name=op.f("ck_inboxes_backfill_days")),
        sa.CheckConstraint(
            "max_syncs_per_hour between 1 and 3600", name=op.f("ck_inboxes_max_syncs_per_hour")
        ),
        sa.CheckConstraint("undo_send_seconds between 0 and 600", name=op.f("ck_inboxes_undo_send_seconds")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "workspace_id"],
            ["workspaces.tenant_id", "workspaces.id"],
            name=op.f("fk_inboxes_tenant_id_workspace_id"),
            ondelete="SET NULL (workspace_id)",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_inboxes_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_inboxes")),
    )
    op.create_index(
        op.f("ix_inboxes_connected_at"),
        "inboxes",
        ["connected_at"],
        unique=False,
        postgresql_where=sa.text("deleted_at is null"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "last_used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_sessions_tenant_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_sessions_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_sessions_token_sha256")),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("upload_key", sa.Text(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_uploads_tenant_id_user_id"),
            ondelete="SET NULL (user_id)",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_uploads_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_created_at"), "uploads", ["created_at"], unique=False)
    op.create_table(
        "conversations",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), server_default="email", nullable=False),
        sa.Column("channel_conversation_id", sa.Text(), nullable=True),
        sa.Column("customer_identifier", sa.Text(), server_default="", nullable=False),
        sa.Column("customer_name", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("normalized_subject", sa.Text(), server_default="", nullable=False),
        sa.Column("snippet", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("priority", sa.Text(), server_default="normal", nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("ai_confidence", sa.Numeric(precision=3, scale=2), nullable=True),
        sa.Column("assigned_to", sa.Uuid(), nullable=True),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("assigned_by", sa.Text(), nullable=True),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unread_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("message_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("agent_message_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("customer_message_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "last_message_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("last_message_direction", sa.Text(), nullable=True),
        sa.Column("first_response_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_response_seconds", sa.BigInteger(), nullable=True),
        sa.Column("avg_response_seconds", sa.BigInteger(), nullable=True),
        sa.Column("responses", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sla_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sla_breached", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("failed_sends", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unknown_sends", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("historical", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "metadata",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "assigned_by in ('manual', 'auto', 'round_robin', 'least_busy', 'skills', 'priority', 'rule')",
            name=op.f("ck_conversations_assigned_by"),
        ),
        sa.CheckConstraint(
            "channel in ('email', 'sms', 'whatsapp', 'slack', 'discord', 'telegram', 'teams', 'voice')",
            name=op.f("ck_conversations_channel"),
        ),
        sa.CheckConstraint(
            "last_message_direction in ('inbound', 'outbound')",
            name=op.f("ck_conversations_last_message_direction"),
        ),
        sa.CheckConstraint(
            "priority in ('urgent', 'high', 'normal', 'low')", name=op.f("ck_conversations_priority")
        ),
        sa.CheckConstraint(
            "status in ('open', 'pending', 'snoozed', 'closed', 'archived', 'spam')",
            name=op.f("ck_conversations_status"),
        ),
        sa.CheckConstraint("unread_count >= 0", name=op.f("ck_conversations_unread_count")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "assigned_to"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_conversations_tenant_id_assigned_to"),
            ondelete="SET NULL (assigned_to)",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"],
            ["contacts.tenant_id", "contacts.id"],
            name=op.f("fk_conversations_tenant_id_contact_id"),
            ondelete="SET NULL (contact_id)",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_conversations_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merged_into"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_conversations_tenant_id_merged_into"),
            ondelete="SET NULL (merged_into)",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_conversations_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_conversations")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_conversations_tenant_id_number")),
    )
    op.create_index(
        "ix_conversations_assignee", "conversations", ["tenant_id", "assigned_to", "status"], unique=False
    )
    op.create_index("ix_conversations_contact", "conversations", ["tenant_id", "contact_id"], unique=False)
    op.create_index(
        "ix_conversations_inbox", "conversations", ["tenant_id", "inbox_id", "status"], unique=False
    )
    op.create_index(
        "ix_conversations_list",
        "conversations",
        ["tenant_id", "status", sa.literal_column("last_message_at desc"), sa.literal_column("id desc")],
        unique=False,
        postgresql_where=sa.text("merged_into is null and deleted_at is null"),
    )
    op.create_index(
        "ix_conversations_sla_due",
        "conversations",
        ["sla_due_at"],
        unique=False,
        postgresql_where=sa.text("sla_due_at is not null and not sla_breached"),
    )
    op.create_index(
        "ix_conversations_snoozed",
        "conversations",
        ["snoozed_until"],
        unique=False,
        postgresql_where=sa.text("status = 'snoozed'"),
    )
    op.create_table(
        "folders",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), server_default="other", nullable=False),
        sa.Column("synced", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=True),
        sa.Column("first_uid", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_uid", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("highest_modseq", sa.BigInteger(), nullable=True),
        sa.Column("flags_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("backfill_state", sa.Text(), server_default="none", nullable=False),
        sa.Column("backfill_uid", sa.BigInteger(), nullable=True),
        sa.Column("backfill_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("backfill_done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("backfill_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("backfill_horizon", sa.DateTime(timezone=True), nullable=True),
        sa.Column("backfill_epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("resets", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "backfill_state in ('none', 'waiting', 'running', 'paused', 'done', 'cancelled')",
            name=op.f("ck_folders_backfill_state"),
        ),
        sa.CheckConstraint(
            "role in ('inbox', 'sent', 'archive', 'junk', 'trash', 'drafts', 'all', 'other')",
            name=op.f("ck_folders_role"),
        ),
        sa.CheckConstraint("state in ('active', 'parked', 'resetting')", name=op.f("ck_folders_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_folders_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_folders_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_folders")),
        sa.UniqueConstraint("tenant_id", "inbox_id", "path", name=op.f("uq_folders_tenant_id_inbox_id_path")),
    )
    op.create_table(
        "inbox_members",
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_inbox_members_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_inbox_members_tenant_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_inbox_members_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("inbox_id", "user_id", "tenant_id", name=op.f("pk_inbox_members")),
    )
    op.create_table(
        "loop_budgets",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("correspondent_key", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_loop_budgets_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_loop_budgets_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_loop_budgets")),
        sa.UniqueConstraint(
            "tenant_id",
            "inbox_id",
            "correspondent_key",
            "window_start",
            name=op.f("uq_loop_budgets_tenant_id_inbox_id_correspondent_key_window_start"),
        ),
    )
    op.create_table(
        "auto_response_claims",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_auto_response_claims_tenant_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_auto_response_claims_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "tenant_id", name=op.f("pk_auto_response_claims")),
    )
    op.create_table(
        "conversation_assignments",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("assigned_by_id", sa.Uuid(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("assigned_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("unassigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "method in ('manual', 'auto', 'round_robin', 'least_busy', 'skills', 'priority', 'rule')",
            name=op.f("ck_conversation_assignments_method"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "agent_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_conversation_assignments_tenant_id_agent_id"),
            ondelete="SET NULL (agent_id)",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_conversation_assignments_tenant_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
            name=op.f("fk_conversation_assignments_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_conversation_assignments")),
    )
    op.create_index(
        op.f("ix_conversation_assignments_tenant_id_conversation_id"),
        "conversation_assignments",
        ["tenant_id", "conversation_id"],
        unique=False,
    )
    op.create_table(
        "conversation_tags",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("tag_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_conversation_tags_tenant_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "tag_id"],
            ["tags.tenant_id", "tags.id"],
            name=op.f("fk_conversation_tags_tenant_id_tag_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_conversation_tags_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "tag_id", "tenant_id", name=op.f("pk_conversation_tags")),
    )
    op.create_index(
        op.f("ix_conversation_tags_tenant_id_tag_id"),
        "conversation_tags",
        ["tenant_id", "tag_id"],
        unique=False,
    )
    op.create_table(
        "gaps",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("folder_id", sa.Uuid(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("listed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("missing", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refilled", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "cause in ('uidvalidity', 'missed', 'reauth', 'lost_state', 'audit', 'history_404', 'delta_410')",
            name=op.f("ck_gaps_cause"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "folder_id"],
            ["folders.tenant_id", "folders.id"],
            name=op.f("fk_gaps_tenant_id_folder_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_gaps_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_gaps_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_gaps")),
    )
    op.create_table(
        "ledger",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("folder_id", sa.Uuid(), nullable=True),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=True),
        sa.Column("uid", sa.BigInteger(), nullable=True),
        sa.Column("provider_message_id", sa.Text(), nullable=True),
        sa.Column("raw_sha256", sa.Text(), nullable=True),
        sa.Column("raw_key", sa.Text(), nullable=True),
        sa.Column("raw_offset", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("raw_length", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("internal_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("flags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("historical", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.Text(), server_default="seen", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("classification", sa.Text(), nullable=True),
        sa.Column("classification_reason", sa.Text(), nullable=True),
        sa.Column("threaded_by", sa.Text(), nullable=True),
        sa.Column("reports", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("parser_version", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("fetch_run", sa.Text(), nullable=True),
        sa.Column("ingest_run", sa.Text(), nullable=True),
        sa.Column("ingested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "classification in ('message', 'bounce', 'complaint', 'auto_reply', 'spam')",
            name=op.f("ck_ledger_classification"),
        ),
        sa.CheckConstraint(
            "state in ('seen', 'stored', 'ingested', 'skipped', 'quarantined', 'vanished')",
            name=op.f("ck_ledger_state"),
        ),
        sa.CheckConstraint(
            "state in ('seen', 'vanished', 'skipped', 'quarantined') or raw_key is not null",
            name=op.f("ck_ledger_stored_has_raw"),
        ),
        sa.CheckConstraint(
            "(uid is not null and uidvalidity is not null) or provider_message_id is not null",
            name=op.f("ck_ledger_identity"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "folder_id"],
            ["folders.tenant_id", "folders.id"],
            name=op.f("fk_ledger_tenant_id_folder_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_ledger_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_ledger_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_ledger")),
        sa.UniqueConstraint(
            "tenant_id",
            "inbox_id",
            "folder_id",
            "uidvalidity",
            "uid",
            name=op.f("uq_ledger_tenant_id_inbox_id_folder_id_uidvalidity_uid"),
        ),
        sa.UniqueConstraint(
            "tenant_id",
            "inbox_id",
            "provider_message_id",
            name=op.f("uq_ledger_tenant_id_inbox_id_provider_message_id"),
        ),
    )
    op.create_index(
        "ix_ledger_message",
        "ledger",
        ["tenant_id", "message_id"],
        unique=False,
        postgresql_where=sa.text("message_id is not null"),
    )
    op.create_index(
        "ix_ledger_pending",
        "ledger",
        ["tenant_id", "inbox_id", "id"],
        unique=False,
        postgresql_where=sa.text("state in ('seen', 'stored')"),
    )
    op.create_index("ix_ledger_raw_sha256", "ledger", ["tenant_id", "inbox_id", "raw_sha256"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=True),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("message_id_header", sa.Text(), nullable=True),
        sa.Column("content_id", sa.Text(), server_default="", nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="message", nullable=False),
        sa.Column("classification", sa.Text(), nullable=True),
        sa.Column("sender_type", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=True),
        sa.Column("from_address", sa.Text(), server_default="", nullable=False),
        sa.Column("from_name", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "reply_to",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("in_reply_to", sa.Text(), nullable=True),
        sa.Column("body_text", sa.Text(), server_default="", nullable=False),
        sa.Column("body_html", sa.Text(), nullable=True),
        sa.Column("body_visible", sa.Text(), server_default="", nullable=False),
        sa.Column("content_type", sa.Text(), server_default="text", nullable=False),
        sa.Column("is_read", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_auto", sa.Text(), nullable=True),
        sa.Column("may_answer", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("silence_reason", sa.Text(), nullable=True),
        sa.Column("spam_verdict", sa.Text(), nullable=True),
        sa.Column("authentication_results", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("provider_message_id", sa.Text(), nullable=True),
        sa.Column("raw_key", sa.Text(), nullable=True),
        sa.Column("raw_offset", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("raw_length", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("raw_sha256", sa.Text(), nullable=True),
        sa.Column("parser_version", sa.BigInteger(), nullable=True),
        sa.Column("defects", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("flags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("duplicate_of_id", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("bounce_received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("historical", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("at_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("send_status", sa.Text(), nullable=True),
        sa.Column("send_error", sa.Text(), nullable=True),
        sa.Column("send_stage", sa.Text(), nullable=True),
        sa.Column("send_attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("send_round", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("first_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unknown_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_copy_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("undo_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("indexed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(direction = 'outbound' and send_status is not null) or conversation_id is not null or classification is not null",
            name=op.f("ck_messages_has_a_place"),
        ),
        sa.CheckConstraint(
            "content_type in ('text', 'image', 'file', 'audio', 'video', 'call')",
            name=op.f("ck_messages_content_type"),
        ),
        sa.CheckConstraint("direction in ('inbound', 'outbound')", name=op.f("ck_messages_direction")),
        sa.CheckConstraint(
            "kind in ('message', 'auto_response', 'notification')", name=op.f("ck_messages_kind")
        ),
        sa.CheckConstraint(
            "send_stage in ('connect', 'auth', 'mail', 'rcpt', 'body', 'dot')",
            name=op.f("ck_messages_send_stage"),
        ),
        sa.CheckConstraint(
            "send_status in ('draft', 'scheduled', 'queued', 'sending', 'sent', 'unknown', 'failed', 'cancelled')",
            name=op.f("ck_messages_send_status"),
        ),
        sa.CheckConstraint(
            "sender_type in ('customer', 'agent', 'system')", name=op.f("ck_messages_sender_type")
        ),
        sa.CheckConstraint(
            "message_id_header is null or length(message_id_header) > 2",
            name=op.f("ck_messages_message_id_not_empty"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "author_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_messages_tenant_id_author_id"),
            ondelete="SET NULL (author_id)",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_messages_tenant_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_messages_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_messages_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_messages")),
        sa.UniqueConstraint(
            "tenant_id", "idempotency_key", name=op.f("uq_messages_tenant_id_idempotency_key")
        ),
        sa.UniqueConstraint(
            "tenant_id",
            "inbox_id",
            "message_id_header",
            "content_id",
            name=op.f("uq_messages_tenant_id_inbox_id_message_id_header_content_id"),
        ),
    )
    op.create_index(
        "ix_messages_conversation",
        "messages",
        ["tenant_id", "conversation_id", "sent_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_messages_open_sends",
        "messages",
        ["send_status", "undo_until"],
        unique=False,
        postgresql_where=sa.text("send_status in ('draft', 'scheduled', 'queued', 'sending', 'unknown')"),
    )
    op.create_index(
        "ix_messages_outside",
        "messages",
        ["tenant_id", "inbox_id", "classification", sa.literal_column("received_at desc")],
        unique=False,
        postgresql_where=sa.text("conversation_id is null"),
    )
    op.create_index(
        "ix_messages_provider",
        "messages",
        ["tenant_id", "provider_message_id"],
        unique=False,
        postgresql_where=sa.text("provider_message_id is not null"),
    )
    op.create_index(
        "ix_messages_unindexed",
        "messages",
        ["tenant_id", "id"],
        unique=False,
        postgresql_where=sa.text("indexed_at is null"),
    )
    op.create_table(
        "thread_keys",
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "kind in ('message_id', 'reference', 'provider_thread')", name=op.f("ck_thread_keys_kind")
        ),
        sa.CheckConstraint("length(key) > 2", name=op.f("ck_thread_keys_key_not_empty")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_thread_keys_tenant_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_thread_keys_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("inbox_id", "key", "tenant_id", name=op.f("pk_thread_keys")),
    )
    op.create_index(
        op.f("ix_thread_keys_tenant_id_conversation_id"),
        "thread_keys",
        ["tenant_id", "conversation_id"],
        unique=False,
    )
    op.create_table(
        "thread_suggestions",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_thread_suggestions_tenant_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "other_id"],
            ["conversations.tenant_id", "conversations.id"],
            name=op.f("fk_thread_suggestions_tenant_id_other_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_thread_suggestions_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "conversation_id", "other_id", "tenant_id", name=op.f("pk_thread_suggestions")
        ),
    )
    op.create_table(
        "attachments",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("content_id_header", sa.Text(), nullable=True),
        sa.Column("disposition", sa.Text(), server_default="attachment", nullable=False),
        sa.Column("scan_status", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "disposition in ('attachment', 'inline')", name=op.f("ck_attachments_disposition")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["messages.tenant_id", "messages.id"],
            name=op.f("fk_attachments_tenant_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_attachments_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_attachments")),
    )
    op.create_index(
        op.f("ix_attachments_tenant_id_message_id_position"),
        "attachments",
        ["tenant_id", "message_id", "position"],
        unique=False,
    )
    op.create_table(
        "delivery_events",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.Text(), server_default="", nullable=False),
        sa.Column("provider_event_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("bounce_class", sa.Text(), nullable=True),
        sa.Column("enhanced_code", sa.Text(), nullable=True),
        sa.Column(
            "details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "bounce_class in ('hard', 'soft', 'policy')", name=op.f("ck_delivery_events_bounce_class")
        ),
        sa.CheckConstraint(
            "status in ('pending', 'sent', 'delivered', 'bounced', 'complained', 'failed', 'deferred', 'opened', 'clicked')",
            name=op.f("ck_delivery_events_status"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["messages.tenant_id", "messages.id"],
            name=op.f("fk_delivery_events_tenant_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_delivery_events_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_delivery_events")),
        sa.UniqueConstraint(
            "tenant_id", "provider_event_id", name=op.f("uq_delivery_events_tenant_id_provider_event_id")
        ),
    )
    op.create_index(
        op.f("ix_delivery_events_tenant_id_message_id"),
        "delivery_events",
        ["tenant_id", "message_id"],
        unique=False,
    )
    op.create_table(
        "message_recipients",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_type", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("delivery_status", sa.Text(), nullable=True),
        sa.Column("delivery_detail", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "delivery_status in ('pending', 'sent', 'delivered', 'bounced', 'complained', 'failed', 'deferred', 'opened', 'clicked')",
            name=op.f("ck_message_recipients_delivery_status"),
        ),
        sa.CheckConstraint(
            "recipient_type in ('to', 'cc', 'bcc')", name=op.f("ck_message_recipients_recipient_type")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["messages.tenant_id", "messages.id"],
            name=op.f("fk_message_recipients_tenant_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_message_recipients_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "message_id", "recipient_type", "position", "tenant_id", name=op.f("pk_message_recipients")
        ),
    )
    op.create_index(
        op.f("ix_message_recipients_tenant_id_address_key"),
        "message_recipients",
        ["tenant_id", "address_key"],
        unique=False,
    )
    op.create_table(
        "message_references",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("referenced_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["messages.tenant_id", "messages.id"],
            name=op.f("fk_message_references_tenant_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_message_references_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", "position", "tenant_id", name=op.f("pk_message_references")),
    )
    op.create_index(
        op.f("ix_message_references_tenant_id_referenced_id"),
        "message_references",
        ["tenant_id", "referenced_id"],
        unique=False,
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("ledger_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("stack_hash", sa.Text(), nullable=True),
        sa.Column("first_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "ledger_id"],
            ["ledger.tenant_id", "ledger.id"],
            name=op.f("fk_quarantine_tenant_id_ledger_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_quarantine_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("tenant_id", "ledger_id", name=op.f("uq_quarantine_tenant_id_ledger_id")),
    )
    op.create_table(
        "search_documents",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=True),
        sa.Column("document", TsVector(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["messages.tenant_id", "messages.id"],
            name=op.f("fk_search_documents_tenant_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_search_documents_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", "tenant_id", name=op.f("pk_search_documents")),
    )
    op.create_index(
        "ix_search_documents_document", "search_documents", ["document"], unique=False, postgresql_using="gin"
    )
    op.create_index(
        op.f("ix_search_documents_tenant_id_conversation_id"),
        "search_documents",
        ["tenant_id", "conversation_id"],
        unique=False,
    )
    op.create_table(
        "send_steps",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.BigInteger(), nullable=True),
        sa.Column("workflow_run", sa.Text(), nullable=True),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["messages.tenant_id", "messages.id"],
            name=op.f("fk_send_steps_tenant_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_send_steps_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_send_steps")),
    )
    op.create_index(
        op.f("ix_send_steps_tenant_id_message_id_id"),
        "send_steps",
        ["tenant_id", "message_id", "id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_send_steps_tenant_id_message_id_id"), table_name="send_steps")
    op.drop_table("send_steps")
    op.drop_index(op.f("ix_search_documents_tenant_id_conversation_id"), table_name="search_documents")
    op.drop_index("ix_search_documents_document", table_name="search_documents", postgresql_using="gin")
    op.drop_table("search_documents")
    op.drop_table("quarantine")
    op.drop_index(op.f("ix_message_references_tenant_id_referenced_id"), table_name="message_references")
    op.drop_table("message_references")
    op.drop_index(op.f("ix_message_recipients_tenant_id_address_key"), table_name="message_recipients")
    op.drop_table("message_recipients")
    op.drop_index(op.f("ix_delivery_events_tenant_id_message_id"), table_name="delivery_events")
    op.drop_table("delivery_events")
    op.drop_index(op.f("ix_attachments_tenant_id_message_id_position"), table_name="attachments")
    op.drop_table("attachments")
    op.drop_table("thread_suggestions")
    op.drop_index(op.f("ix_thread_keys_tenant_id_conversation_id"), table_name="thread_keys")
    op.drop_table("thread_keys")
    op.drop_index(
        "ix_messages_unindexed", table_name="messages", postgresql_where=sa.text("indexed_at is null")
    )
    op.drop_index(
        "ix_messages_provider",
        table_name="messages",
        postgresql_where=sa.text("provider_message_id is not null"),
    )
    op.drop_index(
        "ix_messages_outside", table_name="messages", postgresql_where=sa.text("conversation_id is null")
    )
    op.drop_index(
        "ix_messages_open_sends",
        table_name="messages",
        postgresql_where=sa.text("send_status in ('draft', 'scheduled', 'queued', 'sending', 'unknown')"),
    )
    op.drop_index("ix_messages_conversation", table_name="messages")
    op.drop_table("messages")
    op.drop_index("ix_ledger_raw_sha256", table_name="ledger")
    op.drop_index(
        "ix_ledger_pending", table_name="ledger", postgresql_where=sa.text("state in ('seen', 'stored')")
    )
    op.drop_index(
        "ix_ledger_message", table_name="ledger", postgresql_where=sa.text("message_id is not null")
    )
    op.drop_table("ledger")
    op.drop_table("gaps")
    op.drop_index(op.f("ix_conversation_tags_tenant_id_tag_id"), table_name="conversation_tags")
    op.drop_table("conversation_tags")
    op.drop_index(
        op.f("ix_conversation_assignments_tenant_id_conversation_id"), table_name="conversation_assignments"
    )
    op.drop_table("conversation_assignments")
    op.drop_table("auto_response_claims")
    op.drop_table("loop_budgets")
    op.drop_table("inbox_members")
    op.drop_table("folders")
    op.drop_index(
        "ix_conversations_snoozed", table_name="conversations", postgresql_where=sa.text("status = 'snoozed'")
    )
    op.drop_index(
        "ix_conversations_sla_due",
        table_name="conversations",
        postgresql_where=sa.text("sla_due_at is not null and not sla_breached"),
    )
    op.drop_index(
        "ix_conversations_list",
        table_name="conversations",
        postgresql_where=sa.text("merged_into is null and deleted_at is null"),
    )
    op.drop_index("ix_conversations_inbox", table_name="conversations")
    op.drop_index("ix_conversations_contact", table_name="conversations")
    op.drop_index("ix_conversations_assignee", table_name="conversations")
    op.drop_table("conversations")
    op.drop_index(op.f("ix_uploads_created_at"), table_name="uploads")
    op.drop_table("uploads")
    op.drop_table("sessions")
    op.drop_index(
        op.f("ix_inboxes_connected_at"), table_name="inboxes", postgresql_where=sa.text("deleted_at is null")
    )
    op.drop_table("inboxes")
    op.drop_table("contact_identities")
    op.drop_table("api_keys")
    op.drop_table("workspaces")
    op.drop_table("users")
    op.drop_table("tags")
    op.drop_table("suppressed_addresses")
    op.drop_index(op.f("ix_idempotency_keys_created_at"), table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_table("contacts")
    op.drop_table("tenants")
    op.drop_index(op.f("ix_login_attempts_key_sha256_at"), table_name="login_attempts")
    op.drop_table("login_attempts")
    op.drop_index("ix_events_reader", table_name="events")
    op.drop_index(
        "ix_events_message", table_name="events", postgresql_where=sa.text("message_id is not null")
    )
    op.drop_index("ix_events_log", table_name="events")
    op.drop_table("events")
    op.drop_table("event_cursors")
