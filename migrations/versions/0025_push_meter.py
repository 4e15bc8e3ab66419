"""How many of the mails that came were announced, hour by hour; since when an inbox is announced, when that was renewed last, why
it was refused; and how often the mailbox is looked at because of it.
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect, unprotect

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
COLUMNS = (
    ("watch_since", INSTANT),
    ("watch_renewed_at", INSTANT),
    ("watch_refusal", sa.Text()),
    ("push_counted_to", INSTANT),
    ("poll_seconds", sa.BigInteger()),
)


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("inboxes", sa.Column(name, kind, nullable=True))
    op.add_column("push_notices", sa.Column("mail_id", sa.Text(), nullable=True))
    op.create_index(
        "ix_push_notices_mail",
        "push_notices",
        ["tenant_id", "inbox_id", "mail_id"],
        postgresql_where=sa.text("mail_id is not null"),
    )
    op.create_table(
        "push_hours",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("hour", INSTANT, nullable=False),
        sa.Column("found", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("missed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("missed between 0 and found", name=op.f("ck_push_hours_missed")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbox_id"],
            ["inboxes.tenant_id", "inboxes.id"],
            name=op.f("fk_push_hours_tenant_id_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_push_hours_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_push_hours")),
        sa.UniqueConstraint("tenant_id", "inbox_id", "hour", name=op.f("uq_push_hours_tenant_id_inbox_id_hour")),
    )
    op.create_index("ix_push_hours_hour", "push_hours", ["hour"])
    protect("push_hours")


def downgrade() -> None:
    unprotect("push_hours")
    op.drop_table("push_hours")
    op.drop_index("ix_push_notices_mail", table_name="push_notices")
    op.drop_column("push_notices", "mail_id")
    for name, _ in reversed(COLUMNS):
        op.drop_column("inboxes", name)
