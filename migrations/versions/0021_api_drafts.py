"""The draft that a provider keeps of a message on its way out, and when it was last asked to send it.

Old rows have neither. Going back forgets drafts: run it only when nothing is on its way through a web API.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("api_draft_id", sa.Text(), nullable=True))
    op.add_column("messages", sa.Column("api_submitted_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("messages", "api_submitted_at")
    op.drop_column("messages", "api_draft_id")
