"""What the planner believes of a table that nobody has analysed yet: all its rows are of one tenant.

Of an empty table it knows nothing, so each index that begins with the tenant looks as good as the primary key. A foreign
key's check planned then reads all rows of the tenant for each new one, and keeps its plan as long as the connection. The
first ANALYZE replaces what is written here (PostgreSQL 18, "Statistics Import Functions").

Revision ID: 0049
Revises: 0048
"""

from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

# Only where there is nothing: a table with statistics of its own keeps them.
UNKNOWN = """
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    where n.nspname = current_schema() and c.relkind = 'r'
"""


def upgrade() -> None:
    op.execute(
        f"""
        select pg_restore_attribute_stats(
          'schemaname', n.nspname::text, 'relname', c.relname::text, 'attname', 'tenant_id', 'inherited', false,
          'null_frac', 0::real, 'avg_width', 16, 'n_distinct', 1::real)
        {UNKNOWN}
          and not exists (select from pg_statistic s where s.starelid = c.oid)
        """
    )


def downgrade() -> None:
    op.execute(
        f"""
        select pg_clear_attribute_stats(n.nspname::text, c.relname::text, 'tenant_id', false)
        {UNKNOWN}
          and c.reltuples < 0
        """
    )
