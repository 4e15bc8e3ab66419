"""Domains whose addresses are inboxes. Of the tenants that claim one, at most one holds it, whatever they see of each other."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.tenancy import protect, unprotect

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "domains",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ses_identity_arn", sa.Text(), nullable=True),
        sa.Column("dkim_tokens", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("from_name", sa.Text(), nullable=True),
        sa.Column("reply_to_address", sa.Text(), nullable=True),
        sa.Column("bounce_address", sa.Text(), nullable=True),
        sa.Column("challenge", sa.Text(), nullable=False),
        sa.Column("verified_at", INSTANT, nullable=True),
        sa.Column("missing_since", INSTANT, nullable=True),
        *(
            sa.Column(f"{record}_verified", sa.Boolean(), server_default=sa.text("false"), nullable=False)
            for record in ("mx", "spf", "dkim", "dmarc")
        ),
        sa.Column("records", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("checked_at", INSTANT, nullable=True),
        sa.Column("check_due_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", INSTANT, nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("name = lower(name) and name <> ''", name=op.f("ck_domains_name")),
        sa.CheckConstraint(
            "verified_at is not null or missing_since is null", name=op.f("ck_domains_missing_since")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_domains_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_domains")),
    )
    held = sa.text("verified_at is not null and deleted_at is null")
    standing = sa.text("deleted_at is null")
    op.create_index("uq_domains_of_tenant", "domains", ["tenant_id", "name"], unique=True, postgresql_where=standing)
    op.create_index("uq_domains_holder", "domains", ["name"], unique=True, postgresql_where=held)
    op.create_index(op.f("ix_domains_name"), "domains", ["name"])
    op.create_index("ix_domains_due", "domains", ["check_due_at"], postgresql_where=standing)
    protect("domains")
    op.add_column("inboxes", sa.Column("domain_id", sa.Uuid(), nullable=True))
    op.add_column("inboxes", sa.Column("local_part", sa.Text(), nullable=True))
    op.add_column(
        "inboxes", sa.Column("is_catchall", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_foreign_key(
        op.f("fk_inboxes_tenant_id_domain_id"), "inboxes", "domains", ["tenant_id", "domain_id"], ["tenant_id", "id"]
    )
    op.create_check_constraint(
        op.f("ck_inboxes_domain"),
        "inboxes",
        "(domain_id is null) = (local_part is null) and (domain_id is not null or not is_catchall)",
    )
    op.create_index(
        "uq_inboxes_local_part",
        "inboxes",
        ["tenant_id", "domain_id", sa.text("lower(local_part)")],
        unique=True,
        postgresql_where=sa.text("domain_id is not null and deleted_at is null"),
    )
    op.create_index(
        "uq_inboxes_catchall",
        "inboxes",
        ["tenant_id", "domain_id"],
        unique=True,
        postgresql_where=sa.text("is_catchall and deleted_at is null"),
    )


def downgrade() -> None:
    op.drop_index("uq_inboxes_catchall", table_name="inboxes")
    op.drop_index("uq_inboxes_local_part", table_name="inboxes")
    op.drop_constraint(op.f("ck_inboxes_domain"), "inboxes", type_="check")
    op.drop_constraint(op.f("fk_inboxes_tenant_id_domain_id"), "inboxes", type_="foreignkey")
    op.drop_column("inboxes", "is_catchall")
    op.drop_column("inboxes", "local_part")
    op.drop_column("inboxes", "domain_id")
    unprotect("domains")
    op.drop_table("domains")
