"""Indexes by which every list that people ask for is read in its order, so that a page costs the same at any size.

Built CONCURRENTLY: nobody waits. What a version that gave up half-way left behind is dropped first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLE = "conversations"
LIVE = "merged_into is null and deleted_at is null"
NEWEST = ("last_message_at desc", "id desc")
# name: its columns, what else must hold
NEW = {
    "ix_conversations_recent": (("tenant_id",), ""),
    "ix_conversations_assigned": (("tenant_id", "assigned_to", "status"), ""),
    "ix_conversations_of_inbox": (("tenant_id", "inbox_id", "status"), ""),
    "ix_conversations_unassigned": (("tenant_id", "status"), " and assigned_to is null"),
    "ix_conversations_unread": (("tenant_id", "status"), " and unread_count > 0"),
    "ix_conversations_category": (("tenant_id", "category", "status"), " and category is not null"),
}
# The new ones begin with the same columns.
OLD = {
    "ix_conversations_assignee": ("tenant_id", "assigned_to", "status"),
    "ix_conversations_inbox": ("tenant_id", "inbox_id", "status"),
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, (columns, also) in NEW.items():
            op.execute(f"drop index concurrently if exists {name}")
            op.create_index(
                name,
                TABLE,
                [*columns, *(sa.text(c) for c in NEWEST)],
                postgresql_where=sa.text(LIVE + also),
                postgresql_concurrently=True,
            )
        for name in OLD:
            op.drop_index(name, TABLE, postgresql_concurrently=True, if_exists=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, columns in OLD.items():
            op.execute(f"drop index concurrently if exists {name}")
            op.create_index(name, TABLE, list(columns), postgresql_concurrently=True)
        for name in NEW:
            op.drop_index(name, TABLE, postgresql_concurrently=True, if_exists=True)
