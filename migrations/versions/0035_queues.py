"""Indexes of the queues of inboxes and teams, and of what people changed in the settings.

Those of conversations are built CONCURRENTLY: nobody waits. What a version that gave up half-way left behind is dropped
first. PostgreSQL builds none concurrently on a partitioned table; the events that this one holds are few.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

WAITING = "status = 'open' and assigned_to is null and not historical and merged_into is null and deleted_at is null"
NEW = {
    "ix_conversations_queue": (["tenant_id", "inbox_id", "priority", "id"], f"{WAITING} and team_id is null"),
    "ix_conversations_team_queue": (["tenant_id", "team_id", "priority", "id"], f"{WAITING} and team_id is not null"),
}


def upgrade() -> None:
    op.create_index(
        "ix_events_audit",
        "events",
        ["tenant_id", "id"],
        postgresql_where=sa.text("actor <> 'system' and conversation_id is null"),
    )
    with op.get_context().autocommit_block():
        for name, (columns, where) in NEW.items():
            op.execute(f"drop index concurrently if exists {name}")
            op.create_index(name, "conversations", columns, postgresql_where=sa.text(where), postgresql_concurrently=True)


def downgrade() -> None:
    op.drop_index("ix_events_audit", "events")
    with op.get_context().autocommit_block():
        for name in NEW:
            op.drop_index(name, "conversations", postgresql_concurrently=True, if_exists=True)
