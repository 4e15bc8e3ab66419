"""Room beside rows that change soon after they were written, and bodies as they are.

A ledger row is written when its mail is stored and twice more when it is read: with room on its page the new version needs
no entry in any index. What pglz saves of a text of some kilobytes costs more than all the rest of the row.

Revision ID: 0048
Revises: 0047
"""

from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

ROOM = {"ledger": 50, "thread_keys": 80}  # per cent of a page that inserts fill
TEXTS = ("body_text", "body_visible")


def upgrade() -> None:
    for table, share in ROOM.items():
        op.execute(f"alter table {table} set (fillfactor = {share})")
    for column in TEXTS:
        op.execute(f"alter table messages alter column {column} set storage external")


def downgrade() -> None:
    for column in TEXTS:
        op.execute(f"alter table messages alter column {column} set storage extended")
    for table in ROOM:
        op.execute(f"alter table {table} reset (fillfactor)")
