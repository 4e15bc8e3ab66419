"""The desk of each tenant reads the event log from a cursor of its own."""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect
from models.base import Xid8

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "desk_cursors",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("xid", Xid8(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE", name=op.f("fk_desk_cursors_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_desk_cursors")),
    )
    protect("desk_cursors")
    # What happened before there was a desk is over; only tenants that come later begin at their first event.
    op.execute("insert into desk_cursors (tenant_id, xid, id, moved_at) select id, pg_current_xact_id(), 0, now() from tenants")
    op.create_table(
        "desk_failures",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("reactor", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE", name=op.f("fk_desk_failures_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_desk_failures")),
    )
    protect("desk_failures")


def downgrade() -> None:
    op.drop_table("desk_failures")
    op.drop_table("desk_cursors")
