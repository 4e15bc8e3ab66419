"""A lease's epoch becomes part of a key, so that PostgreSQL itself takes the row's strongest lock when an epoch changes.

An update of columns that a foreign key could name locks `for update`, any other `for no key update` (PostgreSQL manual,
13.3.2). So a transaction that only wants the epoch to stay holds `for key share`, and whoever moves a cursor or a progress in
the same row need not wait for it.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KEYS = (("inboxes", "lease_epoch"), ("folders", "backfill_epoch"))


def upgrade() -> None:
    for table, epoch in KEYS:
        op.create_unique_constraint(f"uq_{table}_tenant_id_id_{epoch}", table, ["tenant_id", "id", epoch])


def downgrade() -> None:
    for table, epoch in KEYS:
        op.drop_constraint(f"uq_{table}_tenant_id_id_{epoch}", table, type_="unique")
