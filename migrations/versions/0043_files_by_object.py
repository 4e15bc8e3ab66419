"""The files that are objects of their own, by their key: whether somebody still names an object that is to be dropped.

Most files lie in their mail and are not in it. Built CONCURRENTLY: nobody waits.
"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

NAME = "ix_attachments_stored"
STORED = "encoded_offset is null or stored_at is not null"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(f"drop index concurrently if exists {NAME}")
        op.create_index(
            NAME,
            "attachments",
            ["tenant_id", "storage_key"],
            postgresql_where=sa.text(STORED),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(NAME, "attachments", postgresql_concurrently=True, if_exists=True)
