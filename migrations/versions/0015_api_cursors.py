"""Where we are in a mailbox behind a web API: Gmail's history id for a whole inbox, Graph's delta link for each folder.

Both are null until a first listing has begun, and both are opaque: nothing here compares them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inboxes", sa.Column("gmail_history_id", sa.Text(), nullable=True))
    op.add_column("folders", sa.Column("graph_delta_link", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("folders", "graph_delta_link")
    op.drop_column("inboxes", "gmail_history_id")
