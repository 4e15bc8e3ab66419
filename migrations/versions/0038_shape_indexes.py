"""The ways from a conversation, a message and a contact to what was merged into it or passes it on.

Built CONCURRENTLY: nobody waits. What a version that gave up half-way left behind is dropped first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_conversations_merged", "conversations", ("tenant_id", "merged_into"), "merged_into is not null"),
    ("ix_messages_forwards", "messages", ("tenant_id", "forward_of"), "forward_of is not null"),
    ("ix_contacts_list", "contacts", ("tenant_id", "id"), "merged_into is null"),
    ("ix_contacts_merged", "contacts", ("tenant_id", "merged_into"), "merged_into is not null"),
    ("ix_contact_identities_tenant_id_contact_id", "contact_identities", ("tenant_id", "contact_id"), None),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, table, columns, where in INDEXES:
            op.execute(f"drop index concurrently if exists {name}")
            op.create_index(
                name,
                table,
                list(columns),
                postgresql_where=sa.text(where) if where else None,
                postgresql_concurrently=True,
            )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, table, _, _ in reversed(INDEXES):
            op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)
