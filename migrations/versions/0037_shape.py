"""How conversations change their shape: where each message came from by a merge, which conversations people keep apart, mails that
begin a topic of their own, changes to many conversations at once; and contacts that are one person.

The homes have no foreign key: one more would be checked for every mail, and a home that is gone means no more than none.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.tenancy import protect, unprotect

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
TABLES = ("conversations_apart", "split_suggestions", "bulks", "bulk_changes")
HOMES = ("messages", "thread_keys", "notes")


def _own(table: str, column: str, parent: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"{parent}.tenant_id", f"{parent}.id"],
        name=op.f(f"fk_{table}_tenant_id_{column}"),
        ondelete=ondelete,
    )


def upgrade() -> None:
    for table in HOMES:
        op.add_column(table, sa.Column("home_id", sa.Uuid(), nullable=True))
    op.add_column("messages", sa.Column("forward_of", sa.Uuid(), nullable=True))
    op.add_column("conversations", sa.Column("merged_under", sa.Uuid(), nullable=True))
    op.add_column("conversations", sa.Column("merged_at", INSTANT, nullable=True))
    op.create_table(
        "conversations_apart",
        sa.Column("one_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("one_id < other_id", name=op.f("ck_conversations_apart_in_order")),
        _own("conversations_apart", "one_id", "conversations"),
        _own("conversations_apart", "other_id", "conversations"),
        sa.PrimaryKeyConstraint("one_id", "other_id", "tenant_id", name=op.f("pk_conversations_apart")),
    )
    op.create_index(
        op.f("ix_conversations_apart_tenant_id_other_id"), "conversations_apart", ["tenant_id", "other_id"]
    )
    op.create_table(
        "split_suggestions",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("normalized_subject", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("dismissed_at", INSTANT, nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        _own("split_suggestions", "conversation_id", "conversations"),
        _own("split_suggestions", "message_id", "messages"),
        sa.PrimaryKeyConstraint(
            "conversation_id", "normalized_subject", "tenant_id", name=op.f("pk_split_suggestions")
        ),
    )
    op.create_index(
        op.f("ix_split_suggestions_tenant_id_message_id"), "split_suggestions", ["tenant_id", "message_id"]
    )
    _bulks()
    op.add_column("contacts", sa.Column("merged_into", sa.Uuid(), nullable=True))
    op.add_column("contacts", sa.Column("updated_at", INSTANT, server_default=NOW, nullable=False))
    op.create_foreign_key(
        op.f("fk_contacts_tenant_id_merged_into"),
        "contacts",
        "contacts",
        ["tenant_id", "merged_into"],
        ["tenant_id", "id"],
        ondelete="SET NULL (merged_into)",
    )
    for table in TABLES:
        protect(table)


def _bulks() -> None:
    op.create_table(
        "bulks",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("change", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("restored", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("left", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("updated_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("undo_until", INSTANT, nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "state in ('running', 'done', 'cancelled', 'undoing', 'undone')", name=op.f("ck_bulks_state")
        ),
        sa.CheckConstraint("done <= total", name=op.f("ck_bulks_done")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_bulks_tenant_id"), ondelete="CASCADE"
        ),
        _own("bulks", "asked_by", "users", "SET NULL (asked_by)"),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_bulks")),
    )
    op.create_index(
        "ix_bulks_under_way", "bulks", ["id"], postgresql_where=sa.text("state in ('running', 'undoing')")
    )
    op.create_table(
        "bulk_changes",
        sa.Column("bulk_id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("before", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("after", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "state in ('waiting', 'changed', 'same', 'skipped', 'restored', 'left')",
            name=op.f("ck_bulk_changes_state"),
        ),
        _own("bulk_changes", "bulk_id", "bulks"),
        _own("bulk_changes", "conversation_id", "conversations"),
        sa.PrimaryKeyConstraint("bulk_id", "conversation_id", "tenant_id", name=op.f("pk_bulk_changes")),
    )
    op.create_index(
        "ix_bulk_changes_state", "bulk_changes", ["tenant_id", "bulk_id", "state", "conversation_id"]
    )
    op.create_index(
        op.f("ix_bulk_changes_tenant_id_conversation_id"), "bulk_changes", ["tenant_id", "conversation_id"]
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        unprotect(table)
    op.drop_constraint(op.f("fk_contacts_tenant_id_merged_into"), "contacts", type_="foreignkey")
    op.drop_column("contacts", "updated_at")
    op.drop_column("contacts", "merged_into")
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_column("conversations", "merged_at")
    op.drop_column("conversations", "merged_under")
    op.drop_column("messages", "forward_of")
    for table in HOMES:
        op.drop_column(table, "home_id")
