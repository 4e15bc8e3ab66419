"""The desk's place in its tenant's event log: locked, read from, and moved in the transaction of the reactions."""

import datetime as dt
import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import Cursor, LoggedEvent, read_after

FIRST = text(
    """
    insert into desk_cursors (tenant_id, xid, id, moved_at) values (:tenant, '0', 0, :now) on conflict do nothing
    """
)
PLACE = text("select xid::text as xid, id from desk_cursors where tenant_id = :tenant")
LOCK = text("select xid::text as xid, id from desk_cursors where tenant_id = :tenant for update")
MOVE = text(
    "update desk_cursors set xid = cast(:xid as xid8), id = :id, moved_at = :now where tenant_id = :tenant"
)
WAITING = text("select exists (select from events where tenant_id = :tenant and (xid, id) > (cast(:xid as xid8), :id))")
FAILED = text("insert into desk_failures (tenant_id, event_id, reactor, error) values (:tenant, :event, :reactor, :error)")


async def peek_events(connection: AsyncConnection, tenant_id: uuid.UUID, *, limit: int) -> list[LoggedEvent]:
    """What `take_events` would give, without a lock and without moving the cursor: by then another reader may have taken them."""
    row = (await connection.execute(PLACE, {"tenant": tenant_id})).first()
    cursor = Cursor(0, 0) if row is None else Cursor(int(row.xid), row.id)
    return await read_after(connection, cursor, limit=limit, tenant_id=tenant_id)


async def take_events(
    connection: AsyncConnection, tenant_id: uuid.UUID, *, limit: int, now: dt.datetime
) -> tuple[list[LoggedEvent], bool]:
    """The next events of this tenant, oldest first, and the cursor moved behind them; both hold only if the transaction does.
    True beside an empty list: something is committed that an older open transaction still hides. Look again soon.

    A second reader waits for the first one's transaction and then reads what is behind it. A new tenant's log is read from
    its first event.
    """
    here = {"tenant": tenant_id, "now": now}
    row = (await connection.execute(LOCK, {"tenant": tenant_id})).first()
    if row is None:
        await connection.execute(FIRST, here)
        row = (await connection.execute(LOCK, {"tenant": tenant_id})).one()
    cursor = Cursor(int(row.xid), row.id)
    events = await read_after(connection, cursor, limit=limit, tenant_id=tenant_id)
    if events:
        last = events[-1].cursor
        await connection.execute(MOVE, {**here, "xid": str(last.xid), "id": last.id})
        return events, True
    bound = {"tenant": tenant_id, "xid": str(cursor.xid), "id": cursor.id}
    return events, bool((await connection.execute(WAITING, bound)).scalar_one())


async def keep_failure(
    connection: AsyncConnection, tenant_id: uuid.UUID, *, event_id: int, reactor: str, error: str
) -> None:
    """Note a reaction that was given up. `error` is a kind of error, never its text: that may quote mail."""
    await connection.execute(
        FAILED, {"tenant": tenant_id, "event": event_id, "reactor": reactor, "error": error}
    )
