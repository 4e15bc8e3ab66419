"""What is known of a grant beside its tokens: when it ends by itself, when its token was refused, whether a person stands behind it."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("oauth_grants", sa.Column("refresh_expires_at", INSTANT, nullable=True))
    op.add_column("oauth_grants", sa.Column("refused_at", INSTANT, nullable=True))
    op.add_column(
        "oauth_grants", sa.Column("permission", sa.Text(), server_default="delegated", nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_oauth_grants_permission"), "oauth_grants", "permission in ('delegated', 'application')"
    )
    op.add_column("oauth_starts", sa.Column("shared", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    op.drop_column("oauth_starts", "shared")
    op.drop_constraint(op.f("ck_oauth_grants_permission"), "oauth_grants")
    op.drop_column("oauth_grants", "permission")
    op.drop_column("oauth_grants", "refused_at")
    op.drop_column("oauth_grants", "refresh_expires_at")
