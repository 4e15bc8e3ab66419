"""Conversations in the order in which their service levels are due.

Built CONCURRENTLY: nobody waits. What a version that gave up half-way left behind is dropped first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

NAME = "ix_conversations_sla_due"
LIVE = "sla_due_at is not null and merged_into is null and deleted_at is null"


def _replace(columns: list[str], where: str) -> None:
    with op.get_context().autocommit_block():
        op.execute(f"drop index concurrently if exists {NAME}")
        op.create_index(NAME, "conversations", columns, postgresql_where=sa.text(where), postgresql_concurrently=True)


def upgrade() -> None:
    _replace(["tenant_id", "sla_due_at", "id"], LIVE)


def downgrade() -> None:
    _replace(["sla_due_at"], "sla_due_at is not null and not sla_breached")
