"""What a conversation keeps about its messages, made anew from them: after a merge, a split or an unmerge nothing else would be right.

Counters everywhere else are maintained by what changes them; a recount agrees with them at any time (tests/store/test_shape_properties.py).
The caller holds the conversations. Twice is once.
"""

import uuid
from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.incoming import snippet_of
from store.response_times import recompute_responses

# An automatic mail that was taken back stays counted; a person's message that was taken back never stood here.
COUNT = text(
    """
    update conversations c set
      message_count = n.messages, agent_message_count = n.agent, customer_message_count = n.customer,
      unread_count = n.unread, failed_sends = n.failed, unknown_sends = n.unknown, historical = n.historical
    from (
      select i.id,
        count(m.id) filter (where m.stands) as messages,
        count(m.id) filter (where m.stands and m.direction = 'outbound' and m.kind = 'message') as agent,
        count(m.id) filter (where m.direction = 'inbound') as customer,
        count(m.id) filter (where m.direction = 'inbound' and not m.is_read) as unread,
        count(m.id) filter (where m.kind = 'message' and m.send_status = 'failed') as failed,
        count(m.id) filter (where m.kind = 'message' and m.send_status = 'unknown') as unknown,
        coalesce(bool_and(m.historical), false) as historical
      from unnest(cast(:ids as uuid[])) as i(id)
      left join lateral (
        select id, direction, kind, is_read, send_status, historical,
               not (kind = 'message' and send_status is not distinct from 'cancelled') as stands
        from messages where tenant_id = :tenant and conversation_id = i.id
      ) m on true
      group by i.id
    ) n
    where c.tenant_id = :tenant and c.id = n.id
    """
)
NEWEST = text(
    """
    select i.id, m.visible, m.received_at, m.direction
    from unnest(cast(:ids as uuid[])) as i(id)
    left join lateral (
      select left(coalesce(nullif(body_visible, ''), body_text), 800) as visible, received_at, direction
      from messages
      where tenant_id = :tenant and conversation_id = i.id and kind = 'message' and send_status is distinct from 'cancelled'
      order by received_at desc, id desc limit 1
    ) m on true
    """
)
SHOW = text(
    """
    update conversations set snippet = :snippet, last_message_direction = :direction,
      last_message_at = coalesce(cast(:at as timestamptz), last_message_at)
    where tenant_id = :tenant and id = :id returning version
    """
)


async def recount(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, int]:
    """Counters, response times and the line in the list, of conversations that the caller holds. Returns their versions."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    bound = {"tenant": tenant_id, "ids": wanted}
    await connection.execute(COUNT, bound)
    await recompute_responses(connection, tenant_id, wanted)
    versions: dict[uuid.UUID, int] = {}
    for row in (await connection.execute(NEWEST, bound)).all():
        shown = await connection.execute(
            SHOW,
            {
                "tenant": tenant_id,
                "id": row.id,
                "snippet": snippet_of(row.visible or ""),
                "direction": row.direction,
                "at": row.received_at,
            },
        )
        versions[row.id] = int(shown.scalar_one())
    return versions
