"""More is written back than that a mail was read: where it lies, and its labels. What an inbox writes back is a list of words."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

STATES = "'open', 'done', 'superseded', 'gone', 'refused', 'withdrawn'"
STATUSES = "'open', 'pending', 'snoozed', 'closed', 'archived', 'spam'"


def upgrade() -> None:
    for name in ("detail", "wanted", "expected", "reason"):
        op.add_column("intents", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.add_column("intents", sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint("uq_intents_tenant_id_message_id_kind", "intents", type_="unique")
    op.create_unique_constraint(
        "uq_intents_tenant_id_message_id_kind_detail", "intents", ["tenant_id", "message_id", "kind", "detail"]
    )
    _checked("intents", "kind", "'read', 'place', 'label'")
    _checked("intents", "state", f"{STATES}, 'conflict'")
    _checked("conversations", "status", f"{STATUSES}, 'trash'")
    op.execute(
        """
        update inboxes set settings = jsonb_set(settings, '{write_back}',
          case settings ->> 'write_back' when 'read' then '["read"]'::jsonb else '[]'::jsonb end)
        where settings ? 'write_back'
        """
    )


def downgrade() -> None:
    op.execute(
        """
        update inboxes set settings = jsonb_set(settings, '{write_back}',
          case when settings -> 'write_back' ? 'read' then '"read"'::jsonb else '"off"'::jsonb end)
        where settings ? 'write_back'
        """
    )
    op.execute("update conversations set status = 'archived' where status = 'trash'")
    op.execute("delete from intents where kind <> 'read' or state = 'conflict'")
    _checked("conversations", "status", STATUSES)
    _checked("intents", "state", STATES)
    _checked("intents", "kind", "'read'")
    op.drop_constraint("uq_intents_tenant_id_message_id_kind_detail", "intents", type_="unique")
    op.create_unique_constraint("uq_intents_tenant_id_message_id_kind", "intents", ["tenant_id", "message_id", "kind"])
    for name in ("tried_at", "reason", "expected", "wanted", "detail"):
        op.drop_column("intents", name)


def _checked(table: str, column: str, words: str) -> None:
    """Exchange the CHECK; rows that stand are checked without keeping writers out."""
    name = f"ck_{table}_{column}"
    op.execute(f"alter table {table} drop constraint {name}")
    op.execute(f"alter table {table} add constraint {name} check ({column} in ({words})) not valid")
    op.execute(f"alter table {table} validate constraint {name}")
