"""Builds the full text index a moment after the rows, in batches: it costs more than all other rows of a mail together.

A message without `indexed_at` is not searchable yet; whoever comes next indexes it, so a crash only delays the search.
"""

import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# A tsvector holds 1 MB; with the cuts below no text reaches it (each word costs up to six bytes beside its letters).
SOURCE = """
    select m.tenant_id, m.id, m.conversation_id,
      setweight(to_tsvector('simple', m.subject), 'A')
      || setweight(to_tsvector('simple', concat_ws(' ', m.from_name, m.from_address, translate(m.from_address, '@.', '  '),
           p.people)), 'B')
      || setweight(to_tsvector('simple', coalesce(f.names, '')), 'C')
      || to_tsvector('simple', left(m.body_text,
           case when octet_length(m.body_text) > 300000 then 60000 else 200000 end)) as document
    from picked join messages m on m.tenant_id = picked.tenant_id and m.id = picked.id
    left join lateral (
      select left(string_agg(concat_ws(' ', r.name, r.address), ' '), 50000) as people from message_recipients r
      where r.tenant_id = m.tenant_id and r.message_id = m.id) p on true
    left join lateral (
      select left(string_agg(concat_ws(' ', a.filename, translate(a.filename, '._-', '   ')), ' '), 50000) as names
      from attachments a where a.tenant_id = m.tenant_id and a.message_id = m.id) f on true
"""
WRITE = f"""
    , written as (
      insert into search_documents (tenant_id, message_id, conversation_id, document)
      select tenant_id, id, conversation_id, document from ({SOURCE}) s
      on conflict (tenant_id, message_id) do update set document = excluded.document,
        conversation_id = excluded.conversation_id
      returning 1
    )
    update messages m set indexed_at = now() from picked
    where m.tenant_id = picked.tenant_id and m.id = picked.id
"""
# `skip locked`: two writers index different messages instead of waiting for each other.
OF_TENANT = text(
    f"""
    with picked as materialized (
      select tenant_id, id from messages where tenant_id = :tenant and indexed_at is null
      order by id limit :limit for no key update skip locked
    ) {WRITE}
    """
)
OF_ALL = text(
    f"""
    with picked as materialized (
      select tenant_id, id from messages where indexed_at is null limit :limit for no key update skip locked
    ) {WRITE}
    """
)


async def index_messages(connection: AsyncConnection, tenant_id: uuid.UUID, *, limit: int = 500) -> int:
    """Index the oldest messages of the tenant that are not searchable yet; how many it was."""
    return int((await connection.execute(OF_TENANT, {"tenant": tenant_id, "limit": limit})).rowcount)


async def index_all_tenants(connection: AsyncConnection, *, limit: int = 500) -> int:
    """As the system: index what any tenant's search lacks, for instance what a crash left behind."""
    return int((await connection.execute(OF_ALL, {"limit": limit})).rowcount)
