"""Balance sheets; one open gap for each folder and cause; since when a password is refused and when an audit is due."""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect, unprotect

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

FIGURES = (
    "uidvalidity",
    "at_provider",
    "in_ledger",
    "stored",
    "ingested",
    "skipped",
    "quarantined",
    "seen",
    "vanished",
    "gone",
    "deleted",
    "ahead",
    "history_waiting",
    "beyond_horizon",
    "not_asked_for",
    "missing",
    "extra",
)
BALANCE = (
    "at_provider = in_ledger - extra + deleted + ahead + history_waiting + beyond_horizon + not_asked_for + missing"
)
OPEN = "closed_at is null"
# Two open gaps of one folder and cause say the same: the older one stays open.
ONE_OPEN_EACH = """
update gaps g set closed_at = now() where g.closed_at is null and exists (
  select from gaps o where o.tenant_id = g.tenant_id and o.inbox_id = g.inbox_id and o.cause = g.cause
    and o.folder_id is not distinct from g.folder_id and o.closed_at is null and o.id < g.id)
"""


def upgrade() -> None:
    op.create_table(
        "audits",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("folder_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in FIGURES),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("reason in ('nightly', 'asked', 'refilled')", name=op.f("ck_audits_reason")),
        sa.CheckConstraint(
            "in_ledger = stored + ingested + skipped + quarantined + seen",
            name=op.f("ck_audits_ledger_adds_up"),
        ),
        sa.CheckConstraint(BALANCE, name=op.f("ck_audits_balances")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "folder_id"],
            ["folders.tenant_id", "folders.id"],
            name=op.f("fk_audits_tenant_id_folder_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_audits_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_audits_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_audits")),
    )
    op.create_index("ix_audits_folder", "audits", ["tenant_id", "folder_id", "id"], unique=False)
    op.create_index("ix_audits_inbox", "audits", ["tenant_id", "inbox_id", "id"], unique=False)
    protect("audits")

    op.add_column("gaps", sa.Column("since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("gaps", sa.Column("quarantined", sa.BigInteger(), server_default="0", nullable=False))
    # Forced row-level security hides every row from an owner who is no superuser.
    op.execute("alter table gaps no force row level security")
    op.execute(ONE_OPEN_EACH)
    op.execute("alter table gaps force row level security")
    op.create_index(
        "uq_gaps_open",
        "gaps",
        ["tenant_id", "inbox_id", "folder_id", "cause"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text(OPEN),
    )
    op.create_index("ix_gaps_inbox", "gaps", ["tenant_id", "inbox_id", "id"], unique=False)

    op.add_column("inboxes", sa.Column("refused_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("inboxes", sa.Column("audit_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "inboxes", sa.Column("audit_asked", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("inboxes", "audit_asked")
    op.drop_column("inboxes", "audit_due_at")
    op.drop_column("inboxes", "refused_since")
    op.drop_index("ix_gaps_inbox", table_name="gaps")
    op.drop_index("uq_gaps_open", table_name="gaps", postgresql_where=sa.text(OPEN))
    op.drop_column("gaps", "quarantined")
    op.drop_column("gaps", "since")
    unprotect("audits")
    op.drop_table("audits")
