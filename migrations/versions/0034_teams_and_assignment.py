"""Teams, how conversations are given out, invitations, and what a person chose to be."""

import uuid

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect, unprotect

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
TABLES = ("teams", "team_members", "inbox_teams", "assignment_policies", "assignment_turns", "invitations")
PRESENCE = "status_chosen in ('online', 'away', 'offline')"


def _id() -> sa.Column[uuid.UUID]:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False)


def _tenant(table: str) -> tuple[sa.Column[uuid.UUID], sa.ForeignKeyConstraint]:
    return (
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE", name=op.f(f"fk_{table}_tenant_id_tenants")),
    )


def _own(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column], [f"{parent}.tenant_id", f"{parent}.id"], ondelete="CASCADE", name=op.f(f"fk_{table}_tenant_id_{column}")
    )


def _link(table: str, one: str, one_table: str, other: str, other_table: str, *more: sa.Column[int]) -> None:
    """A table of pairs."""
    op.create_table(
        table,
        *_tenant(table),
        sa.Column(one, sa.Uuid(), nullable=False),
        sa.Column(other, sa.Uuid(), nullable=False),
        *more,
        _own(table, one, one_table),
        _own(table, other, other_table),
        sa.PrimaryKeyConstraint("tenant_id", one, other, name=op.f(f"pk_{table}")),
    )


def upgrade() -> None:
    op.create_table(
        "teams",
        *_tenant("teams"),
        _id(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.CheckConstraint("length(name) between 1 and 200", name=op.f("ck_teams_name")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_teams_tenant_id_name")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_teams")),
    )
    _link("team_members", "team_id", "teams", "user_id", "users")
    op.create_index(op.f("ix_team_members_tenant_id_user_id"), "team_members", ["tenant_id", "user_id"])
    _link("inbox_teams", "inbox_id", "inboxes", "team_id", "teams")
    op.create_index(op.f("ix_inbox_teams_tenant_id_team_id"), "inbox_teams", ["tenant_id", "team_id"])
    _policies()
    turn = sa.Column("turn", sa.BigInteger(), server_default="0", nullable=False)
    _link("assignment_turns", "policy_id", "assignment_policies", "user_id", "users", turn)
    op.create_table(
        "invitations",
        *_tenant("invitations"),
        _id(),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        _own("invitations", "user_id", "users"),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_invitations_token_sha256")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_invitations")),
    )
    op.create_index(op.f("ix_invitations_tenant_id_user_id"), "invitations", ["tenant_id", "user_id"])
    for table in TABLES:
        protect(table)
    op.add_column("users", sa.Column("status_chosen", sa.Text(), server_default="offline", nullable=False))
    op.add_column("users", sa.Column("offline_since", INSTANT, nullable=True))
    op.create_check_constraint(op.f("ck_users_status_chosen"), "users", PRESENCE)
    for table in ("conversations", "conversation_assignments"):
        op.add_column(table, sa.Column("team_id", sa.Uuid(), nullable=True))
        op.create_foreign_key(
            op.f(f"fk_{table}_tenant_id_team_id"),
            table,
            "teams",
            ["tenant_id", "team_id"],
            ["tenant_id", "id"],
            ondelete="SET NULL (team_id)",
        )


def _policies() -> None:
    op.create_table(
        "assignment_policies",
        *_tenant("assignment_policies"),
        _id(),
        sa.Column("inbox_id", sa.Uuid(), nullable=True),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        sa.Column("strategy", sa.Text(), server_default="manual", nullable=False),
        sa.Column("include_away", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("must_match", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("senior_from", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("hand_back", sa.Text(), server_default="never", nullable=False),
        sa.Column("hand_back_minutes", sa.BigInteger(), server_default="30", nullable=False),
        sa.Column("keep_answered", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("updated_at", INSTANT, server_default=NOW, nullable=False),
        _own("assignment_policies", "inbox_id", "inboxes"),
        _own("assignment_policies", "team_id", "teams"),
        sa.CheckConstraint("(inbox_id is null) <> (team_id is null)", name=op.f("ck_assignment_policies_of_one")),
        sa.CheckConstraint("hand_back_minutes between 1 and 10080", name=op.f("ck_assignment_policies_hand_back_minutes")),
        sa.CheckConstraint("senior_from between 0 and 100", name=op.f("ck_assignment_policies_senior_from")),
        sa.CheckConstraint(
            "strategy in ('manual', 'round_robin', 'least_busy', 'skills', 'priority')",
            name=op.f("ck_assignment_policies_strategy"),
        ),
        sa.CheckConstraint("hand_back in ('never', 'after', 'at_once')", name=op.f("ck_assignment_policies_hand_back")),
        sa.UniqueConstraint("tenant_id", "inbox_id", name=op.f("uq_assignment_policies_tenant_id_inbox_id")),
        sa.UniqueConstraint("tenant_id", "team_id", name=op.f("uq_assignment_policies_tenant_id_team_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_assignment_policies")),
    )


def downgrade() -> None:
    for table in ("conversation_assignments", "conversations"):
        op.drop_column(table, "team_id")
    op.drop_column("users", "offline_since")
    op.drop_column("users", "status_chosen")
    for table in reversed(TABLES):
        unprotect(table)
        op.drop_table(table)
