"""The provider's own conversation of each mail of a mailbox behind a web API, so that an answer goes into it.

Old rows have none: an answer to such a mail finds its thread by References, as at any other provider.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ledger", sa.Column("provider_thread", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("ledger", "provider_thread")
