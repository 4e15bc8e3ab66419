"""Where in its raw mail a file lies, so that it need not be stored a second time before somebody asks for it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLE = "attachments"
PLACE = ("encoded_offset", "encoded_length")


def upgrade() -> None:
    for name in PLACE:
        op.add_column(TABLE, sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column(TABLE, sa.Column("encoding", sa.Text(), nullable=True))
    op.add_column(TABLE, sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_attachments_place"), TABLE, "num_nulls(encoded_offset, encoded_length, encoding) in (0, 3)"
    )


def downgrade() -> None:
    """Refuses while files lie in mails alone: without the columns nobody would find them."""
    op.execute(
        """
        do $$ begin
          if exists (select from attachments where encoded_offset is not null and stored_at is null) then
            raise exception 'files lie in raw mails alone; they must be objects before this version goes down';
          end if;
        end $$
        """
    )
    op.drop_constraint(op.f("ck_attachments_place"), TABLE)
    for name in ("stored_at", "encoding", *PLACE):
        op.drop_column(TABLE, name)
