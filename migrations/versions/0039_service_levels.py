"""Business hours, policies of service levels, the clocks that run by them, and when conversations took which status."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.tenancy import protect, unprotect

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
FALSE = sa.text("false")
TABLES = ("business_hours", "sla_policies", "sla_clocks", "conversation_statuses", "sla_recounts")
STATUSES = "'open', 'pending', 'snoozed', 'closed', 'archived', 'spam', 'trash'"
OF_CONVERSATIONS = (
    "first_response_business_seconds",
    "avg_response_business_seconds",
    "sla_policy_id",
    "sla_warn_at",
    "sla_paused",
)


def _keys(table: str, *more: str, tenant: bool = True) -> list[sa.Constraint]:
    """Its primary key within the tenant, and the key to the tenant where no parent proves it."""
    found: list[sa.Constraint] = [sa.PrimaryKeyConstraint("tenant_id", *(more or ("id",)), name=op.f(f"pk_{table}"))]
    if tenant:
        found.append(
            sa.ForeignKeyConstraint(
                ["tenant_id"], ["tenants.id"], name=op.f(f"fk_{table}_tenant_id"), ondelete="CASCADE"
            )
        )
    return found


def _child(table: str, column: str, parent: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"{parent}.tenant_id", f"{parent}.id"],
        name=op.f(f"fk_{table}_tenant_id_{column}"),
        ondelete=ondelete,
    )


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False)


def _uuid(name: str, *, needed: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid(), nullable=not needed)


def _text(name: str, default: str | None = None, *, needed: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=not needed)


def _at(name: str, *, now: bool = False) -> sa.Column[object]:
    return sa.Column(name, INSTANT, server_default=NOW if now else None, nullable=not now)


def _json(name: str, default: str | None = None) -> sa.Column[object]:
    return sa.Column(name, JSONB(), server_default=None if default is None else sa.text(f"'{default}'"), nullable=False)


def _plans() -> None:
    op.create_table(
        "business_hours",
        _uuid("tenant_id", needed=True),
        _id(),
        _text("name"),
        _text("time_zone"),
        _json("week"),
        _text("country", ""),
        _text("subdivision", ""),
        _json("dates", "[]"),
        sa.Column("is_default", sa.Boolean(), server_default=FALSE, nullable=False),
        _at("created_at", now=True),
        _at("updated_at", now=True),
        _at("deleted_at"),
        *_keys("business_hours"),
    )
    op.create_index(
        "uq_business_hours_default",
        "business_hours",
        ["tenant_id"],
        unique=True,
        postgresql_where=sa.text("is_default and deleted_at is null"),
    )
    op.create_table(
        "sla_policies",
        _uuid("tenant_id", needed=True),
        _id(),
        _text("name"),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        _json("conditions", "{}"),
        _json("targets"),
        _uuid("business_hours_id"),
        sa.Column("warn_percent", sa.BigInteger(), server_default="80", nullable=False),
        sa.Column("pause_on", ARRAY(sa.Text()), server_default=sa.text("'{pending,snoozed}'"), nullable=False),
        _json("actions", "{}"),
        _at("created_at", now=True),
        _at("updated_at", now=True),
        _at("deleted_at"),
        *_keys("sla_policies"),
        _child("sla_policies", "business_hours_id", "business_hours", "SET NULL (business_hours_id)"),
        sa.CheckConstraint("warn_percent between 1 and 100", name=op.f("ck_sla_policies_warn_percent")),
    )
    op.create_table(
        "sla_recounts",
        _uuid("tenant_id", needed=True),
        _id(),
        _text("why"),
        _text("state", "running"),
        sa.Column("total", sa.BigInteger(), nullable=False),
        *(sa.Column(n, sa.BigInteger(), server_default="0", nullable=False) for n in ("done", "moved", "excused")),
        _uuid("after"),
        _text("actor"),
        _at("created_at", now=True),
        _at("finished_at"),
        *_keys("sla_recounts"),
        sa.CheckConstraint("state in ('running', 'done')", name=op.f("ck_sla_recounts_state")),
    )
    op.create_index(
        "ix_sla_recounts_running", "sla_recounts", ["tenant_id", "id"], postgresql_where=sa.text("state = 'running'")
    )


def _clocks() -> None:
    instants = ("warn_at", "due_at", "next_at", "paused_at", "warned_at", "breached_at", "met_at")
    op.create_table(
        "sla_clocks",
        _uuid("tenant_id", needed=True),
        _id(),
        _uuid("conversation_id", needed=True),
        _text("target"),
        _uuid("policy_id"),
        sa.Column("target_seconds", sa.BigInteger(), nullable=False),
        sa.Column("business", sa.Boolean(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        *(_at(name) for name in instants),
        _uuid("met_by"),
        _at("ended_at"),
        _text("ended_by", needed=False),
        _at("excused_at"),
        _text("excuse", needed=False),
        _json("segments", "[]"),
        _at("created_at", now=True),
        *_keys("sla_clocks", tenant=False),
        _child("sla_clocks", "conversation_id", "conversations"),
        _child("sla_clocks", "policy_id", "sla_policies", "SET NULL (policy_id)"),
        sa.UniqueConstraint(
            "tenant_id",
            "conversation_id",
            "target",
            "started_at",
            name=op.f("uq_sla_clocks_tenant_id_conversation_id_target_started_at"),
        ),
        sa.CheckConstraint("target in ('first_response', 'next_response', 'resolution')", name=op.f("ck_sla_clocks_target")),
    )
    for name, columns, where in (
        ("ix_sla_clocks_next", ["tenant_id", "next_at", "id"], "next_at is not null"),
        ("ix_sla_clocks_open", ["tenant_id", "id"], "ended_at is null"),
    ):
        op.create_index(name, "sla_clocks", columns, postgresql_where=sa.text(where))
    op.create_table(
        "conversation_statuses",
        _uuid("tenant_id", needed=True),
        _uuid("conversation_id", needed=True),
        sa.Column("at", INSTANT, nullable=False),
        _text("status"),
        *_keys("conversation_statuses", "conversation_id", "at", tenant=False),
        _child("conversation_statuses", "conversation_id", "conversations"),
        sa.CheckConstraint(f"status in ({STATUSES})", name=op.f("ck_conversation_statuses_status")),
    )


def upgrade() -> None:
    _plans()
    _clocks()
    for table in TABLES:
        protect(table)
    for column in (
        sa.Column("first_response_business_seconds", sa.BigInteger()),
        sa.Column("avg_response_business_seconds", sa.BigInteger()),
        _uuid("sla_policy_id"),
        _at("sla_warn_at"),
        sa.Column("sla_paused", sa.Boolean(), server_default=FALSE, nullable=False),
    ):
        op.add_column("conversations", column)
    # Not validated: no row has a policy yet, and reading them all would stop everybody meanwhile.
    op.create_foreign_key(
        "fk_conversations_tenant_id_sla_policy_id",
        "conversations",
        "sla_policies",
        ["tenant_id", "sla_policy_id"],
        ["tenant_id", "id"],
        ondelete="SET NULL (sla_policy_id)",
        postgresql_not_valid=True,
    )


def downgrade() -> None:
    op.drop_constraint("fk_conversations_tenant_id_sla_policy_id", "conversations")
    for column in OF_CONVERSATIONS:
        op.drop_column("conversations", column)
    for table in ("conversation_statuses", "sla_clocks", "sla_recounts", "sla_policies", "business_hours"):
        unprotect(table)
        op.drop_table(table)
