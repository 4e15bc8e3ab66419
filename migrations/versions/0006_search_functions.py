"""Search by the full-text index: two functions that pass row-level security and name the tenant's own rows only.

Under forced row-level security PostgreSQL may not use the index: `@@` is not marked leakproof, so the tenant's rows are read
one by one first. The functions run as `mailroom_system`, take the tenant from the same setting as every policy, and give
nothing without one (docs/decisions/0011).
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Statistics of the actual words choose between index and scan, so the plan is made anew for each search.
FOUND = """
create function mailroom_search(wanted tsquery) returns setof uuid
language plpgsql stable security definer rows 1000
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
  mine constant uuid := nullif(current_setting('app.tenant', true), '')::uuid;
begin
  return query
    select distinct d.conversation_id from public.search_documents d
    where d.tenant_id = mine and d.document @@ wanted and d.conversation_id is not null;
end $$
"""
# The planner's guess from its statistics: nothing is read, and the guess is about all tenants, so only its size matters.
# Volatile, since EXPLAIN is not allowed in anything else.
EXPECTED = """
create function mailroom_search_expected(wanted tsquery) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, public, pg_temp
as $$
declare
  plan json;
begin
  execute format('explain (format json) select 1 from public.search_documents d where d.document @@ %L::tsquery', wanted)
    into plan;
  return (plan -> 0 -> 'Plan' ->> 'Plan Rows')::numeric::bigint;
end $$
"""
FUNCTIONS = ("mailroom_search(tsquery)", "mailroom_search_expected(tsquery)")


def upgrade() -> None:
    op.execute(FOUND)
    op.execute(EXPECTED)
    op.execute("grant create on schema public to mailroom_system")  # asked of a new owner, then taken back
    for function in FUNCTIONS:
        op.execute(f"revoke all on function {function} from public")
        op.execute(f"grant execute on function {function} to mailroom_app")
        op.execute(f"alter function {function} owner to mailroom_system")
    op.execute("revoke create on schema public from mailroom_system")


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"drop function {function}")
