"""Who changed what in the settings: the event log's rows about people, teams, inboxes, keys, rules and policies, newest first."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.pages import Page, number_cursor, read_number_cursor

# Coming and going is no change of a setting; mail has conversations.
LOG = """
select e.id, e.created_at as at, e.type, e.actor, e.inbox_id, i.name as inbox_name, e.payload,
  u.name as actor_name, about.name as user_name, t.name as team_name
from events e
left join users u on u.tenant_id = e.tenant_id and e.actor = 'user:' || u.id
left join users about on about.tenant_id = e.tenant_id and about.id::text = e.payload ->> 'user_id'
left join teams t on t.tenant_id = e.tenant_id and t.id::text = e.payload ->> 'team_id'
left join inboxes i on i.tenant_id = e.tenant_id and i.id = e.inbox_id
where e.tenant_id = :tenant and e.actor <> 'system' and e.conversation_id is null and e.message_id is null
  and e.type <> 'user.status' and (cast(:before as bigint) is null or e.id < :before)
  and (cast(:actor as text) is null or e.actor = :actor) and (cast(:kind as text) is null or e.type like :kind)
order by e.id desc limit :limit
"""


@dataclass(frozen=True, slots=True)
class Change:
    """`actor` as events name it, `actor_name` where it is a person; the others name what it is about, where they are known."""

    id: int
    at: dt.datetime
    type: str
    actor: str
    inbox_id: uuid.UUID | None
    inbox_name: str | None
    payload: dict[str, Any]
    actor_name: str | None
    user_name: str | None
    team_name: str | None


async def list_changes(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    *,
    by: uuid.UUID | None = None,
    kind: str | None = None,
    after: str | None,
    limit: int,
) -> Page[Change]:
    """`kind` is what comes before the point of an event's type (`user`, `team`, `inbox` …). Raises BadCursor."""
    bound = {
        "tenant": tenant_id,
        "before": read_number_cursor(after) if after else None,
        "actor": f"user:{by}" if by is not None else None,
        "kind": f"{kind}.%" if kind is not None else None,
        "limit": limit + 1,
    }
    rows = [Change(*r) for r in await connection.execute(text(LOG), bound)]
    kept = rows[:limit]
    return Page(kept, number_cursor(kept[-1].id) if len(rows) > limit else None)
