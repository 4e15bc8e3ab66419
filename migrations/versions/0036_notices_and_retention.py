"""Notices and their digests; retention policies and runs, erasures, tombstones, octets to be dropped; a hold on conversations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.tenancy import protect, unprotect

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
TABLES = (
    "notices",
    "notice_settings",
    "digests",
    "retention_policies",
    "retention_runs",
    "erasures",
    "tombstones",
    "dropped_objects",
)
KINDS = "'assigned', 'mentioned', 'reply', 'sla_warned', 'sla_breached', 'send_unknown', 'send_failed', 'rule'"


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False)


def _tenant() -> sa.Column[object]:
    return sa.Column("tenant_id", sa.Uuid(), nullable=False)


def _at(name: str, *, now: bool = False) -> sa.Column[object]:
    return sa.Column(name, INSTANT, server_default=NOW, nullable=False) if now else sa.Column(name, INSTANT, nullable=True)


def _of_tenant(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id"], ["tenants.id"], name=op.f(f"fk_{table}_tenant_id"), ondelete="CASCADE"
    )


def _child(table: str, column: str, parent: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"{parent}.tenant_id", f"{parent}.id"],
        name=op.f(f"fk_{table}_tenant_id_{column}"),
        ondelete=ondelete,
    )


def _notices() -> None:
    op.create_table(
        "notices",
        _id(),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=True),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.Text(), server_default="system", nullable=False),
        sa.Column("live", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("mail", sa.Text(), server_default="off", nullable=False),
        _at("created_at", now=True),
        _at("read_at"),
        _at("mailed_at"),
        _tenant(),
        sa.CheckConstraint(f"kind in ({KINDS})", name=op.f("ck_notices_kind")),
        sa.CheckConstraint("mail in ('off', 'digest', 'at_once')", name=op.f("ck_notices_mail")),
        _child("notices", "user_id", "users"),
        _child("notices", "conversation_id", "conversations"),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_notices")),
        sa.UniqueConstraint("tenant_id", "user_id", "event_id", name=op.f("uq_notices_tenant_id_user_id_event_id")),
    )
    person = ["tenant_id", "user_id"]
    op.create_index("ix_notices_list", "notices", [*person, sa.text("id desc")], postgresql_where=sa.text("live"))
    op.create_index("ix_notices_unread", "notices", person, postgresql_where=sa.text("live and read_at is null"))
    op.create_index(
        "ix_notices_to_mail",
        "notices",
        person,
        postgresql_where=sa.text("mail <> 'off' and mailed_at is null and read_at is null"),
    )
    op.create_index(op.f("ix_notices_tenant_id_conversation_id"), "notices", ["tenant_id", "conversation_id"])
    op.create_table(
        "notice_settings",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kinds", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("pace", sa.Text(), server_default="interval", nullable=False),
        sa.Column("every_minutes", sa.BigInteger(), server_default="30", nullable=False),
        sa.Column("daily_hour", sa.BigInteger(), server_default="8", nullable=False),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("snippets", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _at("digest_due_at"),
        _at("updated_at", now=True),
        _tenant(),
        sa.CheckConstraint("pace in ('off', 'interval', 'daily')", name=op.f("ck_notice_settings_pace")),
        sa.CheckConstraint("every_minutes between 5 and 1440", name=op.f("ck_notice_settings_every_minutes")),
        sa.CheckConstraint("daily_hour between 0 and 23", name=op.f("ck_notice_settings_daily_hour")),
        _child("notice_settings", "user_id", "users"),
        sa.PrimaryKeyConstraint("user_id", "tenant_id", name=op.f("pk_notice_settings")),
    )
    op.create_index(
        "ix_notice_settings_due", "notice_settings", ["digest_due_at"], postgresql_where=sa.text("digest_due_at is not null")
    )
    op.create_table(
        "digests",
        _id(),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("notices", sa.BigInteger(), nullable=False),
        _at("created_at", now=True),
        _tenant(),
        _child("digests", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_digests")),
        sa.UniqueConstraint("tenant_id", "user_id", "due_at", name=op.f("uq_digests_tenant_id_user_id_due_at")),
    )
    op.create_index(op.f("ix_digests_created_at"), "digests", ["created_at"])


def _policies() -> None:
    days = ("archive_idle_days", "spam_days", "trash_days", "closed_days")
    op.create_table(
        "retention_policies",
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in days),
        sa.Column("notice_days", sa.BigInteger(), server_default="90", nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        _at("changed_at", now=True),
        _tenant(),
        *(
            sa.CheckConstraint(f"{name} between 1 and 36500", name=op.f(f"ck_retention_policies_{name}"))
            for name in (*days, "notice_days")
        ),
        _child("retention_policies", "changed_by", "users", "SET NULL (changed_by)"),
        _of_tenant("retention_policies"),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_retention_policies")),
    )
    op.create_table(
        "retention_runs",
        _id(),
        _at("started_at", now=True),
        _at("ended_at"),
        sa.Column("counts", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        _tenant(),
        _of_tenant("retention_runs"),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_retention_runs")),
    )
    op.create_index(op.f("ix_retention_runs_tenant_id_started_at"), "retention_runs", ["tenant_id", "started_at"])


def _removed() -> None:
    op.create_table(
        "erasures",
        _id(),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="erasing", nullable=False),
        sa.Column("addresses", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("address_hashes", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("counts", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.Text(), server_default="system", nullable=False),
        _at("asked_at", now=True),
        _at("rows_gone_at"),
        _at("done_at"),
        _tenant(),
        sa.CheckConstraint("state in ('erasing', 'objects', 'done')", name=op.f("ck_erasures_state")),
        _child("erasures", "asked_by", "users", "SET NULL (asked_by)"),
        _of_tenant("erasures"),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_erasures")),
    )
    op.create_index("ix_erasures_open", "erasures", ["id"], postgresql_where=sa.text("state <> 'done'"))
    op.create_index(
        "uq_erasures_open",
        "erasures",
        ["tenant_id", "contact_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'done'"),
    )
    op.create_table(
        "tombstones",
        sa.Column("raw_sha256", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _at("created_at", now=True),
        _tenant(),
        sa.CheckConstraint("reason in ('erased', 'expired')", name=op.f("ck_tombstones_reason")),
        _of_tenant("tombstones"),
        sa.PrimaryKeyConstraint("raw_sha256", "place", "tenant_id", name=op.f("pk_tombstones")),
    )
    op.create_index(
        "ix_tombstones_expired", "tombstones", ["created_at"], postgresql_where=sa.text("reason = 'expired'")
    )
    op.create_table(
        "dropped_objects",
        _id(),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("raw_offset", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("raw_length", sa.BigInteger(), nullable=True),
        sa.Column("raw_sha256", sa.Text(), nullable=True),
        sa.Column("erasure_id", sa.Uuid(), nullable=True),
        _at("dropped_at", now=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        _tenant(),
        _of_tenant("dropped_objects"),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_dropped_objects")),
        sa.UniqueConstraint(
            "tenant_id", "storage_key", "raw_offset", name=op.f("uq_dropped_objects_tenant_id_storage_key_raw_offset")
        ),
    )
    op.create_index(op.f("ix_dropped_objects_dropped_at"), "dropped_objects", ["dropped_at"])


def upgrade() -> None:
    _notices()
    _policies()
    _removed()
    for table in TABLES:
        protect(table)
    op.add_column("conversations", sa.Column("held", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    op.drop_column("conversations", "held")
    for table in TABLES[::-1]:
        unprotect(table)
        op.drop_table(table)
