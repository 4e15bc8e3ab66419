"""How long customers waited: kept on the conversation when an agent's answer has been handed over.

A customer waits from the first message after the last answer. Automatic answers and historical mail count for nothing.
"""

import datetime as dt
import uuid
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import SenderType
from store.event_log import NewEvent, append_events
from store.outbound_rows import LockedMessage
from store.send_steps import append_step

# `waiting` is the customer's first unanswered message. One row is updated at most, and only when somebody waited.
RECORD = text(
    """
    with answered as (
      select max(received_at) as at from messages
      where tenant_id = :tenant and conversation_id = :conversation and id <> :message and direction = 'outbound'
        and kind = 'message' and coalesce(send_status, 'sent') = 'sent' and not historical
    ), waiting as (
      select min(m.received_at) as since from messages m, answered
      where m.tenant_id = :tenant and m.conversation_id = :conversation and m.direction = 'inbound'
        and m.is_auto is null and not m.historical and m.received_at <= :at
        and (answered.at is null or m.received_at > answered.at)
    )
    update conversations c set
      first_response_at = coalesce(c.first_response_at, :at),
      first_response_seconds = case when c.first_response_at is null
        then extract(epoch from cast(:at as timestamptz) - waiting.since)::bigint else c.first_response_seconds end,
      avg_response_seconds = (coalesce(c.avg_response_seconds, 0) * c.responses
        + extract(epoch from cast(:at as timestamptz) - waiting.since)::bigint) / (c.responses + 1),
      responses = c.responses + 1
    from waiting
    where waiting.since is not null and c.tenant_id = :tenant and c.id = :conversation
      and not exists (select from send_steps s
        where s.tenant_id = :tenant and s.message_id = :message and s.step = 'answered')
    returning c.version
    """
)

# The same from the messages alone. An answer of ours was handed over when it was composed, one from a mail program when it came.
RECOMPUTE = text(
    """
    with answers as (
      select m.conversation_id, m.id, case when m.send_attempts > 0 then m.sent_at else m.received_at end as at,
        max(m.received_at) over (partition by m.conversation_id order by m.received_at, m.id
          rows between unbounded preceding and 1 preceding) as before
      from messages m
      where m.tenant_id = :tenant and m.conversation_id = any(cast(:ids as uuid[])) and m.direction = 'outbound'
        and m.kind = 'message' and m.sender_type = 'agent' and coalesce(m.send_status, 'sent') = 'sent' and not m.historical
    ), waits as (
      select a.conversation_id, a.at, extract(epoch from a.at - w.since)::bigint as seconds
      from answers a cross join lateral (
        select min(m.received_at) as since from messages m
        where m.tenant_id = :tenant and m.conversation_id = a.conversation_id and m.direction = 'inbound'
          and m.is_auto is null and not m.historical and m.received_at <= a.at
          and (a.before is null or m.received_at > a.before)
      ) w where w.since is not null
    ), told as (
      select i.id, min(w.at) as first_at, (array_agg(w.seconds order by w.at))[1] as first,
        avg(w.seconds)::bigint as average, count(w.at) as responses
      from unnest(cast(:ids as uuid[])) as i(id) left join waits w on w.conversation_id = i.id group by i.id
    )
    update conversations c set first_response_at = t.first_at, first_response_seconds = t.first,
      avg_response_seconds = t.average, responses = t.responses
    from told t where c.tenant_id = :tenant and c.id = t.id
    """
)


async def recompute_responses(connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> None:
    """How long customers waited in these conversations, as their messages tell it. The caller holds them; twice is once."""
    await connection.execute(RECOMPUTE, {"tenant": tenant_id, "ids": list(ids)})


async def record_response(connection: AsyncConnection, row: LockedMessage, at: dt.datetime) -> None:
    """Count the answer in `row`, handed over at `at`, once: a message served in parts, or sent again, counts once."""
    if row.conversation_id is None or not row.by_person or row.sender_type != SenderType.AGENT:
        return
    changed = await connection.execute(
        RECORD, {"tenant": row.tenant_id, "conversation": row.conversation_id, "message": row.id, "at": at}
    )
    version = changed.scalar_one_or_none()
    if version is None:
        return
    await append_step(
        connection, tenant_id=row.tenant_id, message_id=row.id, step="answered", attempt=row.send_attempts
    )
    await append_events(
        connection,
        [
            NewEvent(
                type="conversation.updated",
                tenant_id=row.tenant_id,
                inbox_id=row.inbox_id,
                conversation_id=row.conversation_id,
                payload={"version": int(version)},
            )
        ],
    )
