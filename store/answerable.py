"""Which new conversations of an inbox still await the decision about an automatic answer."""

import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk import id_floor

# Whoever wrote longer ago than this has waited too long for a "we got your mail".
WITHIN_SECONDS = 24 * 3600.0

# Ids grow with time (UUIDv7), so the primary key bounds the search to the last day's conversations.
AWAITING = text(
    """
    select c.id from conversations c
    join inboxes i on i.tenant_id = c.tenant_id and i.id = c.inbox_id
    where c.tenant_id = :tenant and c.id > :floor and c.inbox_id = :inbox and (i.auto_response_enabled
        or exists (select from rule_answers w where w.tenant_id = c.tenant_id and w.conversation_id = c.id))
      and not c.historical and c.merged_into is null and c.deleted_at is null
      and not exists (select 1 from auto_response_claims a where a.tenant_id = c.tenant_id and a.conversation_id = c.id)
      and exists (select 1 from messages m where m.tenant_id = c.tenant_id and m.conversation_id = c.id and m.may_answer)
    order by c.id limit :limit
    """
)


async def awaiting_answer(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, *, limit: int
) -> list[uuid.UUID]:
    """Conversations that may be answered automatically and about which nothing was decided yet, oldest first."""
    bound = {"tenant": tenant_id, "inbox": inbox_id, "floor": id_floor(WITHIN_SECONDS), "limit": limit}
    return list((await connection.execute(AWAITING, bound)).scalars())
