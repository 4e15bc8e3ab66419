"""How a table is opened to the application's roles and closed to foreign tenants: one call in a table's migration.

`mailroom_app` sees the rows of the tenant set in `app.tenant` for this transaction, and none when none is set.
`mailroom_system` sees all; only the few cross-tenant jobs switch to it, for one transaction each.
"""

from alembic import op

OWN_ROWS = "tenant_id = nullif(current_setting('app.tenant', true), '')::uuid"


def protect(table: str, *, rows: str = OWN_ROWS, append_only: bool = False) -> None:
    """Grant, enable and *force* row-level security (integrity X-42: without FORCE the owner passes)."""
    rights = "select, insert" if append_only else "select, insert, update, delete"
    op.execute(f"grant {rights} on {table} to mailroom_app")
    op.execute(f"grant select, insert, update, delete on {table} to mailroom_system")
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(f"create policy own_tenant on {table} to mailroom_app using ({rows}) with check ({rows})")
    op.execute(f"create policy whole_house on {table} to mailroom_system using (true) with check (true)")


def unprotect(table: str) -> None:
    """The way back of `protect`."""
    op.execute(f"drop policy if exists whole_house on {table}")
    op.execute(f"drop policy if exists own_tenant on {table}")
    op.execute(f"alter table {table} no force row level security")
    op.execute(f"alter table {table} disable row level security")
    op.execute(f"revoke all on {table} from mailroom_app, mailroom_system")


def system_only(table: str) -> None:
    """A table without tenants that only the cross-tenant jobs may touch."""
    op.execute(f"grant select, insert, update, delete on {table} to mailroom_system")
