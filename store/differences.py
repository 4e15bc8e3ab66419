"""What is new in a conversation since somebody looked: messages, notes, whose it is, its status. Read from rows and the event log."""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MOST = 50
SNIPPET = 200
# Changes are found by their index: events of mail name no `changed`.
NEW = text(
    """
    select * from (
      select 'message' as kind, m.id, m.author_id as who, coalesce(u.name, nullif(m.from_name, ''), m.from_address) as name,
        m.received_at as at, m.at_version as version, left(coalesce(nullif(m.body_visible, ''), m.body_text), :snippet) as snippet
      from messages m left join users u on u.tenant_id = m.tenant_id and u.id = m.author_id
      where m.tenant_id = :tenant and m.conversation_id = :conversation and m.at_version > :seen and m.kind = 'message'
        and m.send_status is distinct from 'cancelled'
      union all
      select 'note', n.id, n.user_id, u.name, coalesce(n.edited_at, n.created_at), n.at_version, left(n.content, :snippet)
      from notes n left join users u on u.tenant_id = n.tenant_id and u.id = n.user_id
      where n.tenant_id = :tenant and n.conversation_id = :conversation and n.at_version > :seen and n.deleted_at is null
      union all
      select case c.what when 'status' then 'status' else 'assignment' end, null, e.person, u.name, e.created_at, e.version,
        case c.what when 'status' then e.payload ->> 'status' else coalesce(a.name, t.name, '') end
      from (
        select created_at, payload, cast(payload ->> 'version' as bigint) as version,
          case when actor like 'user:%' then cast(substr(actor, 6) as uuid) end as person
        from events
        where tenant_id = :tenant and conversation_id = :conversation and payload ? 'changed' and type = 'conversation.updated'
      ) e
      cross join lateral (select what from jsonb_array_elements_text(e.payload -> 'changed') as w(what)
                          where what in ('status', 'assigned_to')) c
      left join users u on u.tenant_id = :tenant and u.id = e.person
      left join users a on a.tenant_id = :tenant and c.what = 'assigned_to' and a.id = cast(e.payload ->> 'assigned_to' as uuid)
      left join teams t on t.tenant_id = :tenant and c.what = 'assigned_to' and t.id = cast(e.payload ->> 'team_id' as uuid)
      where e.version > :seen
    ) s order by version desc, at desc limit :limit
    """
)


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind` is `message`, `note`, `assignment` or `status`. `id` is the message's or note's, None for a change. `who_id` is None for
    customers, keys and the house itself. `snippet` is the beginning of the text; of an assignment the name of the person who has it now, or of
    the team, empty for nobody; of a status its word.
    """

    kind: str
    id: uuid.UUID | None
    who_id: uuid.UUID | None
    who_name: str | None
    at: dt.datetime
    version: int
    snippet: str


async def differences(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID, seen_version: int
) -> list[Difference]:
    """Oldest first, the newest fifty. The caller has found that the viewer may see the conversation."""
    rows = await connection.execute(
        NEW,
        {
            "tenant": tenant_id,
            "conversation": conversation_id,
            "seen": seen_version,
            "snippet": SNIPPET,
            "limit": MOST,
        },
    )
    found = [Difference(r.kind, r.id, r.who, r.name, r.at, r.version, " ".join((r.snippet or "").split())) for r in rows]
    return found[::-1]


def of_colleagues(found: list[Difference], author_id: uuid.UUID | None) -> list[Difference]:
    """Those that keep a reply back besides messages: what other people of the team noted, took over or decided. What the house did
    by itself, a rule or the end of a sleep, does not.
    """
    return [d for d in found if d.kind != "message" and d.who_id is not None and d.who_id != author_id]
