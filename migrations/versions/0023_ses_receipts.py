"""Mails that SES put into its receipt bucket, whose inboxes are being found; and what SES says of a domain."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from migrations.tenancy import system_only

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "ses_receipts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("recipients", ARRAY(sa.Text()), nullable=True),
        sa.Column("inbox_ids", ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("received_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.CheckConstraint("state in ('waiting', 'routed', 'unclaimed')", name=op.f("ck_ses_receipts_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ses_receipts")),
        sa.UniqueConstraint("object_id", name=op.f("uq_ses_receipts_object_id")),
    )
    op.create_index(
        "ix_ses_receipts_waiting",
        "ses_receipts",
        ["attempts", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_ses_receipts_unclaimed",
        "ses_receipts",
        ["settled_at"],
        unique=False,
        postgresql_where=sa.text("state = 'unclaimed'"),
    )
    op.create_index(
        "ix_ses_receipts_inboxes", "ses_receipts", ["inbox_ids"], unique=False, postgresql_using="gin"
    )
    system_only("ses_receipts")
    op.add_column(
        "domains", sa.Column("ses_verified", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("domains", sa.Column("unclaimed_mails", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("domains", sa.Column("unclaimed_at", INSTANT, nullable=True))


def downgrade() -> None:
    op.drop_column("domains", "unclaimed_at")
    op.drop_column("domains", "unclaimed_mails")
    op.drop_column("domains", "ses_verified")
    op.drop_table("ses_receipts")
