"""Notes are searched, and documents say what form they are made in, so that those with accents are built anew.

Columns come at once; indexes are built CONCURRENTLY, so nobody waits. What a version that gave up half-way left behind is made again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

MESSAGES = """
    select distinct d.conversation_id from public.search_documents d
    where d.tenant_id = mine and d.document @@ wanted and d.conversation_id is not null
"""
# `union` leaves out what both have.
NOTES = """
    select d.conversation_id from public.search_documents d
    where d.tenant_id = mine and d.document @@ wanted and d.conversation_id is not null
    union
    select n.conversation_id from public.notes n where n.tenant_id = mine and n.document @@ wanted
"""
# Statistics of the actual words choose between index and scan, so the plan is made anew for each search.
FOUND = """
create or replace function mailroom_search(wanted tsquery) returns setof uuid
language plpgsql stable security definer rows 1000
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
  mine constant uuid := nullif(current_setting('app.tenant', true), '')::uuid;
begin
  return query {statement};
end $$
"""
# People write notes one at a time; a list of what waits for the index would be read through by every search, up to 5 ms.
INDEXES: dict[str, tuple[str, list[str], dict[str, object]]] = {
    "ix_search_documents_older": ("search_documents", ["tenant_id", "message_id"], {"postgresql_where": sa.text("form < 1")}),
    "ix_notes_document": ("notes", ["document"], {"postgresql_using": "gin", "postgresql_with": {"fastupdate": "off"}}),
    "ix_notes_unindexed": ("notes", ["tenant_id", "id"], {"postgresql_where": sa.text("document is null")}),
}


def upgrade() -> None:
    op.execute("alter table search_documents add column if not exists form smallint default 0 not null")
    op.execute("alter table notes add column if not exists document tsvector")
    op.execute(FOUND.format(statement=NOTES))
    with op.get_context().autocommit_block():
        for name, (table, columns, kind) in INDEXES.items():
            op.execute(f"drop index concurrently if exists {name}")
            op.create_index(name, table, columns, postgresql_concurrently=True, **kind)  # type: ignore[arg-type]


def downgrade() -> None:
    op.execute(FOUND.format(statement=MESSAGES))
    op.drop_column("notes", "document")
    op.drop_column("search_documents", "form")
