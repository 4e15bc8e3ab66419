"""Unique keys that most rows do not have, without the rows that do not have them: each cost a place in an index, and foreign
keys were checked by it in a database without statistics.

Built CONCURRENTLY: nobody waits. What a version that gave up half-way left behind is dropped first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# table: the new index, its columns, the constraint that it replaces
KEYS = {
    "messages": (
        "uq_messages_idempotency_key",
        ["tenant_id", "idempotency_key"],
        "uq_messages_tenant_id_idempotency_key",
    ),
    "ledger": (
        "uq_ledger_provider_message_id",
        ["tenant_id", "inbox_id", "provider_message_id"],
        "uq_ledger_tenant_id_inbox_id_provider_message_id",
    ),
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for table, (name, columns, old) in KEYS.items():
            op.execute(f"drop index concurrently if exists {name}")
            op.create_index(
                name,
                table,
                columns,
                unique=True,
                postgresql_where=sa.text(f"{columns[-1]} is not null"),
                postgresql_concurrently=True,
            )
            op.execute(f"alter table {table} drop constraint if exists {old}")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for table, (name, columns, old) in KEYS.items():
            op.execute(f"alter table {table} drop constraint if exists {old}")
            op.create_unique_constraint(old, table, columns)
            op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)
