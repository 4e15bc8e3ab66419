"""How far the first listing of a mailbox behind a web API is: what asks its provider for the next page."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("folders", sa.Column("listing_after", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("folders", "listing_after")
