"""The roles that own nothing, and `uuidv7()` where the server has none (it came with PostgreSQL 18)."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# RFC 9562 §5.7: 48 bits of milliseconds, version 7, variant 2, the rest random.
UUIDV7 = """
do $$ begin
  if to_regprocedure('pg_catalog.uuidv7()') is null then
    create function public.uuidv7() returns uuid language sql volatile as $f$
      select encode(
        set_bit(set_bit(
          overlay(uuid_send(gen_random_uuid())
                  placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                  from 1 for 6),
          52, 1), 53, 1), 'hex')::uuid
    $f$;
  end if;
end $$
"""

# Roles belong to the whole server: another database of it may have made them already, so they are never dropped here.
ROLES = """
do $$ begin
  if not exists (select from pg_roles where rolname = 'mailroom_app') then
    create role mailroom_app nologin noinherit nosuperuser nobypassrls;
  end if;
  if not exists (select from pg_roles where rolname = 'mailroom_system') then
    create role mailroom_system nologin noinherit nosuperuser nobypassrls;
  end if;
exception when duplicate_object or unique_violation then null;
end $$
"""


def upgrade() -> None:
    op.execute(UUIDV7)
    op.execute(ROLES)
    op.execute("grant mailroom_system to mailroom_app")
    op.execute("grant usage on schema public to mailroom_app, mailroom_system")


def downgrade() -> None:
    op.execute("revoke usage on schema public from mailroom_app, mailroom_system")
    op.execute("drop function if exists public.uuidv7()")
