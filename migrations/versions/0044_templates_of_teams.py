"""Canned replies of a team, seen by its members."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def _shortcut(*columns: str) -> None:
    op.create_index(
        "uq_templates_shortcut",
        "templates",
        ["tenant_id", "shortcut", *columns],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("shortcut is not null and deleted_at is null"),
    )


def upgrade() -> None:
    op.add_column("templates", sa.Column("team_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_templates_tenant_id_team_id"),
        "templates",
        "teams",
        ["tenant_id", "team_id"],
        ["tenant_id", "id"],
        ondelete="CASCADE",
    )
    op.drop_constraint(op.f("ck_templates_scope"), "templates", type_="check")
    op.create_check_constraint(op.f("ck_templates_scope"), "templates", "num_nonnulls(inbox_id, team_id, user_id) <= 1")
    op.drop_index("uq_templates_shortcut", table_name="templates")
    _shortcut("inbox_id", "team_id", "user_id")


def downgrade() -> None:
    """A team's templates become everybody's; of two with one shortcut the older keeps it."""
    op.execute(
        """
        update templates t set shortcut = null where shortcut is not null and exists (select from templates o
          where o.tenant_id = t.tenant_id and o.shortcut = t.shortcut and o.inbox_id is not distinct from t.inbox_id
            and o.user_id is not distinct from t.user_id and o.deleted_at is null and o.id < t.id)
        """
    )
    op.drop_index("uq_templates_shortcut", table_name="templates")
    _shortcut("inbox_id", "user_id")
    op.drop_constraint(op.f("ck_templates_scope"), "templates", type_="check")
    op.create_check_constraint(op.f("ck_templates_scope"), "templates", "num_nonnulls(inbox_id, user_id) <= 1")
    op.drop_constraint(op.f("fk_templates_tenant_id_team_id"), "templates", type_="foreignkey")
    op.drop_column("templates", "team_id")
