"""Recounts: all conversations with a running clock worked out again, page by page, because hours or policies were changed.

The row says how far it is, so a death repeats one page at most, and repeating a page changes nothing.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk import new_id

# A newer one goes over everything by what holds then: the older ones are done with.
BEGIN = text(
    """
    with over as (
      update sla_recounts set state = 'done', finished_at = now() where tenant_id = :tenant and state = 'running'
    )
    insert into sla_recounts (tenant_id, id, why, total, actor)
    select :tenant, :id, :why, (select count(*) from conversations c where c.tenant_id = :tenant and c.status in ('open', 'pending', 'snoozed')
        and c.merged_into is null and c.deleted_at is null and not c.historical), :actor
    """
)
RUNNING = text(
    "select * from sla_recounts where tenant_id = :tenant and state = 'running' order by id desc limit 1 for update"
)
NEWEST = text("select * from sla_recounts where tenant_id = :tenant order by id desc limit 1")
# All that somebody still works on: a new policy starts clocks where none ran.
PAGE = text(
    """
    select c.id from conversations c
    where c.tenant_id = :tenant and (cast(:after as uuid) is null or c.id > :after) and c.status in ('open', 'pending', 'snoozed')
      and c.merged_into is null and c.deleted_at is null and not c.historical
    order by c.id limit :limit
    """
)
MOVE = text(
    """
    update sla_recounts set after = :after, done = done + :done, moved = moved + :moved, excused = excused + :excused,
      state = case when :ends then 'done' else state end, finished_at = case when :ends then now() end
    where tenant_id = :tenant and id = :id
    """
)


@dataclass(frozen=True, slots=True)
class Recount:
    id: uuid.UUID
    why: str
    state: str
    total: int
    done: int
    moved: int
    excused: int
    after: uuid.UUID | None
    created_at: dt.datetime
    finished_at: dt.datetime | None


async def begin_recount(connection: AsyncConnection, tenant_id: uuid.UUID, *, why: str, actor: str) -> uuid.UUID:
    """Order one; what was under way is taken over by it."""
    row_id = new_id()
    await connection.execute(BEGIN, {"tenant": tenant_id, "id": row_id, "why": why, "actor": actor})
    return row_id


async def running_recount(connection: AsyncConnection, tenant_id: uuid.UUID) -> Recount | None:
    """The one under way, locked: two that carry it on take turns."""
    return _read((await connection.execute(RUNNING, {"tenant": tenant_id})).mappings().first())


async def newest_recount(connection: AsyncConnection, tenant_id: uuid.UUID) -> Recount | None:
    return _read((await connection.execute(NEWEST, {"tenant": tenant_id})).mappings().first())


async def recount_page(
    connection: AsyncConnection, tenant_id: uuid.UUID, after: uuid.UUID | None, *, limit: int
) -> list[uuid.UUID]:
    """The next conversations behind `after`, by their ids."""
    found = await connection.execute(PAGE, {"tenant": tenant_id, "after": after, "limit": limit})
    return list(found.scalars())


async def move_recount(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    recount: Recount,
    page: Sequence[uuid.UUID],
    *,
    moved: int,
    excused: int,
    ends: bool,
) -> None:
    bound = {"after": page[-1] if page else recount.after, "done": len(page), "moved": moved, "excused": excused, "ends": ends}
    await connection.execute(MOVE, {"tenant": tenant_id, "id": recount.id, **bound})


def _read(row: object) -> Recount | None:
    if row is None:
        return None
    values = dict(row)  # type: ignore[call-overload]
    return Recount(**{n: values[n] for n in Recount.__dataclass_fields__})
