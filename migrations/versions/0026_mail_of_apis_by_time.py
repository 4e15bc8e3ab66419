"""What came to a mailbox behind a web API, in its order: whether it had been announced is asked of the newest.

Built CONCURRENTLY: nobody waits. What a version that gave up half-way left behind is dropped first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

NAME = "ix_ledger_api_created"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(f"drop index concurrently if exists {NAME}")
        op.create_index(
            NAME,
            "ledger",
            ["tenant_id", "inbox_id", "created_at"],
            postgresql_where=sa.text("provider_message_id is not null and not historical"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(NAME, "ledger", postgresql_concurrently=True, if_exists=True)
