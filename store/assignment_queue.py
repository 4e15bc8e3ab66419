"""What waits for somebody, most urgent first and of equals the oldest: read from one index for each inbox, team and priority.

A queue of a hundred thousand costs no more than a short one: each index is read from its beginning, as far as asked.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.conversations import WAITING
from store.conversation_list import ConversationRow, rows_of
from store.pages import Page, rank_cursor, read_rank_cursor
from store.visibility import Viewer, visible_inboxes

PRIORITIES = ("urgent", "high", "normal", "low")
WINDOWS = (20, 400, 8_000)
TEAMS = text(
    """
    select t.id from teams t where t.tenant_id = :tenant
      and (:all or exists (select from team_members m where m.tenant_id = t.tenant_id and m.team_id = t.id and m.user_id = :user))
    """
)
# The first `limit` of each place and priority; `rank` and `after` are where a page goes on.
LINE = f"""
select w.id, p.rank from unnest(cast(:priorities as text[])) with ordinality as p(priority, rank)
cross join lateral (
  select s.id from (
    select q.id from unnest(cast(:lines as uuid[])) as i(inbox) cross join lateral (
      select id from conversations where tenant_id = :tenant and inbox_id = i.inbox and priority = p.priority
        and {WAITING} and team_id is null and (p.rank > :rank or id > :after) order by id limit :limit) q
    union all
    select q.id from unnest(cast(:teams as uuid[])) as t(team) cross join lateral (
      select id from conversations where tenant_id = :tenant and team_id = t.team and priority = p.priority
        and {WAITING} and team_id is not null and inbox_id = any(cast(:inboxes as uuid[]))
        and (p.rank > :rank or id > :after) order by id limit :limit) q
  ) s order by s.id limit :limit
) w
where p.rank >= :rank order by p.rank, w.id limit :limit
"""
TAKE = text(
    f"""
    select id, inbox_id, team_id from conversations where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and {WAITING}
    order by array_position(cast(:ids as uuid[]), id) limit 1 for no key update skip locked
    """
)
IN_LINE = "order by array_position(cast(:priorities as text[]), c.priority), c.id"
START = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Waiting:
    id: uuid.UUID
    inbox_id: uuid.UUID
    team_id: uuid.UUID | None


async def queue_of(
    connection: AsyncConnection, viewer: Viewer, *, team_id: uuid.UUID | None = None, after: str | None, limit: int
) -> Page[ConversationRow]:
    """What waits in the inboxes that the viewer may see and for their teams, or for one of these. Raises BadCursor."""
    bound = await _where(connection, viewer, team_id)
    rank, last = read_rank_cursor(after) if after else (1, START)
    bound |= {"rank": rank, "after": last, "limit": limit + 1}
    found = await rows_of(connection, LINE, bound, IN_LINE)
    kept = found[:limit]
    if len(found) <= limit:
        return Page(kept, None)
    return Page(kept, rank_cursor(PRIORITIES.index(kept[-1].priority) + 1, kept[-1].id))


async def first_waiting(connection: AsyncConnection, viewer: Viewer) -> Waiting | None:
    """The first of the line that nobody else is taking just now, under lock."""
    bound = {**await _where(connection, viewer), "rank": 1, "after": START}
    for window in WINDOWS:
        ids = [r.id for r in await connection.execute(text(LINE), {**bound, "limit": window})]
        row = (await connection.execute(TAKE, {"tenant": viewer.tenant_id, "ids": ids})).first() if ids else None
        if row is not None:
            return Waiting(row.id, row.inbox_id, row.team_id)
        if len(ids) < window:
            return None
    return None


async def _where(connection: AsyncConnection, viewer: Viewer, team_id: uuid.UUID | None = None) -> dict[str, Any]:
    """`lines` are the inboxes whose own queues are read, none where one team's is asked for."""
    inboxes = sorted(await visible_inboxes(connection, viewer))
    asked = {"tenant": viewer.tenant_id, "user": viewer.user_id, "all": viewer.sees_all}
    teams = list((await connection.execute(TEAMS, asked)).scalars())
    return {
        "tenant": viewer.tenant_id,
        "priorities": list(PRIORITIES),
        "inboxes": inboxes,
        "lines": inboxes if team_id is None else [],
        "teams": teams if team_id is None else [t for t in teams if t == team_id],
    }
