"""Notes, followers and drafts of a conversation; whoever is assigned follows; and an index of what people changed in it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.tenancy import protect, unprotect

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
TABLES = ("notes", "followers", "drafts")
# However a conversation comes to somebody, that person follows it. Mail never sets the column, so it pays nothing.
FOLLOW = """
create function mailroom_assignee_follows() returns trigger language plpgsql as $$
begin
  insert into followers (tenant_id, conversation_id, user_id, reason)
  values (new.tenant_id, new.id, new.assigned_to, 'assigned') on conflict do nothing;
  return null;
end $$
"""


def _child(table: str, column: str, parent: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"{parent}.tenant_id", f"{parent}.id"],
        name=op.f(f"fk_{table}_tenant_id_{column}"),
        ondelete=ondelete,
    )


def upgrade() -> None:
    op.create_table(
        "notes",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("mentions", ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("at_version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("edited_at", INSTANT, nullable=True),
        sa.Column("deleted_at", INSTANT, nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        _child("notes", "conversation_id", "conversations"),
        _child("notes", "user_id", "users", "SET NULL (user_id)"),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_notes")),
    )
    op.create_index(
        op.f("ix_notes_tenant_id_conversation_id_created_at_id"), "notes", ["tenant_id", "conversation_id", "created_at", "id"]
    )
    op.create_table(
        "followers",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="self", nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("reason in ('self', 'added', 'mentioned', 'assigned')", name=op.f("ck_followers_reason")),
        _child("followers", "conversation_id", "conversations"),
        _child("followers", "user_id", "users"),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", "tenant_id", name=op.f("pk_followers")),
    )
    op.create_index(op.f("ix_followers_tenant_id_user_id"), "followers", ["tenant_id", "user_id"])
    op.create_table(
        "drafts",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("body_html", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("recipients", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("attachments", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("updated_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        _child("drafts", "conversation_id", "conversations"),
        _child("drafts", "author_id", "users"),
        sa.PrimaryKeyConstraint("conversation_id", "author_id", "tenant_id", name=op.f("pk_drafts")),
    )
    op.create_index(op.f("ix_drafts_tenant_id_author_id"), "drafts", ["tenant_id", "author_id"])
    for table in TABLES:
        protect(table)
    op.execute(FOLLOW)
    op.execute(
        "create trigger assignee_follows after update of assigned_to on conversations for each row"
        " when (new.assigned_to is not null and new.assigned_to is distinct from old.assigned_to)"
        " execute function mailroom_assignee_follows()"
    )
    # Only what names its changes is in it, so the events of mail cost nothing.
    op.create_index(
        "ix_events_changes",
        "events",
        ["tenant_id", "conversation_id", "id"],
        postgresql_where=sa.text("payload ? 'changed'"),
    )


def downgrade() -> None:
    op.drop_index("ix_events_changes", "events")
    op.execute("drop trigger assignee_follows on conversations")
    op.execute("drop function mailroom_assignee_follows()")
    for table in TABLES[::-1]:
        unprotect(table)
        op.drop_table(table)
