"""What the rows say about mails that routing rules look at: one statement for a batch, whether they just came in or long ago."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk import id_floor

# Loops and floods (integrity L-5, L-9), by the word under which ingest keeps silent about them.
EXEMPT = ("own-loop-header", "too-many-hops", "own-address", "incoming-flood")
LONGEST_BODY = 100_000
SPOKEN = 2_000  # characters of what the customer wrote, by which its language is known

SELECT = """
    select m.id, m.conversation_id, m.inbox_id, m.from_address, m.from_name, m.subject,
      left(m.body_text, :longest) as body, left(m.body_visible, :spoken) as visible, m.received_at, m.raw_key, m.raw_offset, m.raw_length,
      c.number, c.subject as conversation_subject, c.channel, c.status, c.priority, c.category, c.assigned_to, c.assigned_by, c.team_id,
      m.historical, m.silence_reason, m.is_auto,
      coalesce(k.vip, false) as vip, coalesce(k.custom, '{}') as custom,
      not exists (select from messages e where e.tenant_id = m.tenant_id and e.conversation_id = m.conversation_id
        and e.id < m.id) as first,
      array(select p.address from message_recipients p where p.tenant_id = m.tenant_id and p.message_id = m.id
        and p.recipient_type in ('to', 'cc') order by p.recipient_type desc, p.position limit 200) as recipients,
      array(select a.filename from attachments a where a.tenant_id = m.tenant_id and a.message_id = m.id
        and a.disposition = 'attachment' order by a.position limit 200) as files,
      array(select a.content_type from attachments a where a.tenant_id = m.tenant_id and a.message_id = m.id
        and a.disposition = 'attachment' order by a.position limit 200) as file_types,
      array(select t.name from conversation_tags g join tags t on t.tenant_id = g.tenant_id and t.id = g.tag_id
        where g.tenant_id = m.tenant_id and g.conversation_id = m.conversation_id order by t.name) as tags
    from messages m
    join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
    left join contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id
"""
# An automatic mail that answers one of ours is our own echo, whatever else it says (L-5).
NOT_OURS = """
    m.direction = 'inbound' and coalesce(m.silence_reason, '') <> all(cast(:exempt as text[]))
    and not (m.is_auto is not null and exists (
      select from message_references f join messages o on o.tenant_id = f.tenant_id and o.message_id_header = f.referenced_id
        and o.inbox_id = m.inbox_id and o.direction = 'outbound'
      where f.tenant_id = m.tenant_id and f.message_id = m.id))
"""
OF_MESSAGES = text(
    f"""
    {SELECT} where m.tenant_id = :tenant and m.id = any(cast(:ids as uuid[])) and {NOT_OURS}
      and not m.historical and c.deleted_at is null order by m.id
    """
)
# The newest mail of the customer's speaks for a conversation that was changed.
OF_CONVERSATIONS = text(
    f"""
    {SELECT} where m.tenant_id = :tenant and {NOT_OURS} and c.deleted_at is null and c.merged_into is null and m.id in (
      select (select n.id from messages n where n.tenant_id = :tenant and n.conversation_id = w.id and n.direction = 'inbound'
        order by n.sent_at desc, n.id desc limit 1)
      from unnest(cast(:ids as uuid[])) as w(id))
    """
)
# Nothing that came within the days was stored before them, and ids grow with time: a range of the primary key.
OF_HISTORY = text(
    f"""
    {SELECT} where m.tenant_id = :tenant and m.id > :behind and m.id <= :newest and m.received_at >= :since and {NOT_OURS}
      and c.deleted_at is null order by m.id limit :limit
    """
)
NEWEST = text("select id from messages where tenant_id = :tenant order by id desc limit 1")
ALL_OF_CONVERSATION = text(
    f"""
    {SELECT} where m.tenant_id = :tenant and m.conversation_id = :conversation and m.direction = 'inbound'
    order by m.sent_at desc, m.id desc limit :limit
    """
)


@dataclass(frozen=True, slots=True)
class MailFacts:
    """`first`: nothing stood in the conversation before it. `visible`: the beginning of the body without what it quotes. `raw_*` say where its header lines can be read."""

    id: uuid.UUID
    conversation_id: uuid.UUID
    inbox_id: uuid.UUID
    from_address: str
    from_name: str
    subject: str
    body: str
    visible: str
    received_at: dt.datetime
    raw_key: str | None
    raw_offset: int
    raw_length: int
    number: int
    conversation_subject: str
    channel: str
    status: str
    priority: str
    category: str | None
    assigned_to: uuid.UUID | None
    assigned_by: str | None
    team_id: uuid.UUID | None
    historical: bool
    silence_reason: str | None
    is_auto: str | None
    vip: bool
    custom: dict[str, Any]
    first: bool
    recipients: list[str]
    files: list[str]
    file_types: list[str]
    tags: list[str]


async def facts_of_messages(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> list[MailFacts]:
    """Of live mails that came in, oldest first. Left out: our own echoes, floods and what has no conversation."""
    return await _facts(connection, OF_MESSAGES, tenant_id, ids=list(ids), exempt=list(EXEMPT))


async def facts_of_conversations(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, MailFacts]:
    """By conversation; those without a customer's mail are left out, and so are merged ones."""
    found = await _facts(connection, OF_CONVERSATIONS, tenant_id, ids=list(ids), exempt=list(EXEMPT))
    return {one.conversation_id: one for one in found}


async def facts_of_history(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    *,
    since: dt.datetime,
    behind: uuid.UUID | None,
    newest: uuid.UUID,
    limit: int,
) -> list[MailFacts]:
    """Mails that were received since then, stored behind `behind` and not after `newest`, in the order of their ids."""
    start = behind or id_floor((dt.datetime.now(dt.UTC) - since).total_seconds() + 86_400)
    return await _facts(
        connection, OF_HISTORY, tenant_id, behind=start, newest=newest, since=since, limit=limit, exempt=list(EXEMPT)
    )


async def facts_of_conversation(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID, *, limit: int
) -> list[MailFacts]:
    """Every mail that came into one conversation, the newest first."""
    return await _facts(connection, ALL_OF_CONVERSATION, tenant_id, conversation=conversation_id, limit=limit)


async def newest_message(connection: AsyncConnection, tenant_id: uuid.UUID) -> uuid.UUID | None:
    """Where a look at what stands now ends; None for a tenant without mail."""
    found: uuid.UUID | None = (await connection.execute(NEWEST, {"tenant": tenant_id})).scalar_one_or_none()
    return found


async def _facts(connection: AsyncConnection, statement: Any, tenant_id: uuid.UUID, **bound: Any) -> list[MailFacts]:
    rows = await connection.execute(statement, {"tenant": tenant_id, "longest": LONGEST_BODY, "spoken": SPOKEN, **bound})
    return [MailFacts(**row) for row in rows.mappings()]
