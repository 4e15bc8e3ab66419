"""Ids made by the server keep the order of their making down to a microsecond, as PostgreSQL's own `uuidv7()` does."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# RFC 9562 §6.2, method 3: the twelve bits after the version hold the fraction of the millisecond. 28672 is 0x7000.
FINE = """
do $$ begin
  if to_regprocedure('pg_catalog.uuidv7()') is null then
    create or replace function public.uuidv7() returns uuid language sql volatile as $f$
      select encode(
        overlay(overlay(uuid_send(gen_random_uuid())
          placing substring(int8send(micros / 1000) from 3) from 1 for 6)
          placing int2send((28672 + micros % 1000 * 4096 / 1000)::int2) from 7 for 2), 'hex')::uuid
      from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as micros) now
    $f$;
  end if;
end $$
"""
COARSE = """
do $$ begin
  if to_regprocedure('pg_catalog.uuidv7()') is null then
    create or replace function public.uuidv7() returns uuid language sql volatile as $f$
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


def upgrade() -> None:
    op.execute(FINE)


def downgrade() -> None:
    op.execute(COARSE)
