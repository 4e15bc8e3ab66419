"""Whether people are there: what they chose, and offline for whoever no session has been seen of for a while.

A session is seen by each call and by its open event stream. Who was set offline that way is again as chosen when they are
seen; nothing is asked of them.
"""

import datetime as dt
import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events
from store.visibility import Viewer

OFFLINE_MINUTES = 10  # unless the organisation chose otherwise; 0: never
KEY = "offline_after_minutes"
CHOOSE = text(
    """
    update users u set status = :status, status_chosen = :status,
      offline_since = case when :status = 'offline' then coalesce(u.offline_since, now()) end
    from (select id, status from users where tenant_id = :tenant and id = :user and deleted_at is null for no key update) b
    where u.tenant_id = :tenant and u.id = b.id and (u.status <> :status or u.status_chosen <> :status)
    returning b.status as before
    """
)
# Only what is not locked just now: a claim holds its agent's row, and who claims is there.
ABSENT = text(
    f"""
    with gone as (
      select u.tenant_id, u.id from users u join tenants t on t.id = u.tenant_id
      where u.status <> 'offline' and u.deleted_at is null
        and coalesce((t.settings ->> '{KEY}')::int, :usual) > 0
        and not exists (select from sessions s where s.tenant_id = u.tenant_id and s.user_id = u.id and s.expires_at > :now
          and s.last_used_at > :now - make_interval(mins => coalesce((t.settings ->> '{KEY}')::int, :usual)))
      order by u.tenant_id, u.id limit :most for no key update of u skip locked)
    update users u set status = 'offline', offline_since = :now from gone g
    where u.tenant_id = g.tenant_id and u.id = g.id
    returning u.tenant_id, u.id
    """
)
RETURNED = text(
    """
    update users set status = status_chosen, offline_since = null
    where tenant_id = :tenant and id = :user and status = 'offline' and status_chosen <> 'offline' and deleted_at is null
    returning status
    """
)
PATIENCE = text(f"select coalesce((settings ->> '{KEY}')::int, :usual) from tenants where id = :tenant")
SET_PATIENCE = text(
    f"update tenants set settings = settings || jsonb_build_object('{KEY}', cast(:minutes as int)) where id = :tenant"
)
MOST = 500


async def choose_status(connection: AsyncConnection, viewer: Viewer, user_id: uuid.UUID, status: str) -> None:
    """What the person says of themselves. Choosing what stands tells nobody."""
    bound = {"tenant": viewer.tenant_id, "user": user_id, "status": status}
    row = (await connection.execute(CHOOSE, bound)).first()
    if row is not None and row.before != status:
        await _tell(connection, viewer.tenant_id, user_id, status, viewer.actor)


async def notice_absent(connection: AsyncConnection, *, now: dt.datetime) -> int:
    """Set offline whom nobody has seen for as long as their organisation says; how many. As the system."""
    rows = (await connection.execute(ABSENT, {"now": now, "usual": OFFLINE_MINUTES, "most": MOST})).all()
    for row in rows:
        await _tell(connection, row.tenant_id, row.id, "offline", "system")
    return len(rows)


async def notice_returned(connection: AsyncConnection, tenant_id: uuid.UUID, user_id: uuid.UUID) -> None:
    """A session of this person was used: whoever was set offline for being away is as they chose again."""
    row = (await connection.execute(RETURNED, {"tenant": tenant_id, "user": user_id})).first()
    if row is not None:
        await _tell(connection, tenant_id, user_id, row.status, "system")


async def patience_of(connection: AsyncConnection, tenant_id: uuid.UUID) -> int:
    """Minutes without a session after which people are offline; 0: never."""
    found = await connection.execute(PATIENCE, {"tenant": tenant_id, "usual": OFFLINE_MINUTES})
    return int(found.scalar_one())


async def set_patience(connection: AsyncConnection, viewer: Viewer, minutes: int) -> None:
    if await patience_of(connection, viewer.tenant_id) == minutes:
        return
    await connection.execute(SET_PATIENCE, {"tenant": viewer.tenant_id, "minutes": minutes})
    payload = {"changed": [KEY], KEY: minutes}
    await append_events(connection, [NewEvent("tenant.updated", viewer.tenant_id, actor=viewer.actor, payload=payload)])


async def _tell(connection: AsyncConnection, tenant_id: uuid.UUID, user_id: uuid.UUID, status: str, actor: str) -> None:
    payload = {"user_id": str(user_id), "status": status}
    await append_events(connection, [NewEvent("user.status", tenant_id, actor=actor, payload=payload)])
