"""The event log by months: which are old enough to go, whether everybody has read them, and dropping one.

A month is a partition, and all tenants share it: which months are kept is the operator's decision, not a tenant's policy.
"""

import datetime as dt
import re
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LEAST_KEPT = 2  # the running month and the one before: nobody's cursor is cut off by the turn of a month
SHAPE = re.compile(r"events_(\d{4})(\d{2})")
PARTITIONS = text(
    """
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.events'::regclass order by c.relname
    """
)
# One probe of the index for each tenant: its last event of those months, against where its desk stands.
BEHIND = text(
    """
    select (select count(*) from tenants t
        cross join lateral (select e.xid, e.id from events e where e.tenant_id = t.id and e.created_at < :ends
          order by e.xid desc, e.id desc limit 1) last
        where not exists (select from desk_cursors d where d.tenant_id = t.id and (d.xid, d.id) >= (last.xid, last.id)))
      + (select count(*) from event_cursors c
        where exists (select from events e where e.created_at < :ends and (e.xid, e.id) > (c.xid, c.id))) as readers,
      exists (select from events where created_at >= :ends) as later
    """
)
# Dropping a partition locks the whole log for a moment. Whoever cannot have it at once makes everybody wait who comes after.
PATIENCE = text("set local lock_timeout = '1s'")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One partition: the events from `begins` up to, and without, `ends`; both are first days of a month in UTC."""

    begins: dt.date

    @property
    def ends(self) -> dt.date:
        return (self.begins + dt.timedelta(days=31)).replace(day=1)

    def __str__(self) -> str:
        return f"{self.begins:%Y-%m}"


async def months_to_drop(connection: AsyncConnection, *, keep: int, today: dt.date) -> list[Month]:
    """The months before the last `keep`, the running one among them, oldest first. Raises ValueError below `LEAST_KEPT`."""
    if keep < LEAST_KEPT:
        raise ValueError(f"at least {LEAST_KEPT} months are kept")
    months = today.year * 12 + today.month - 1 - (keep - 1)
    first_kept = dt.date(months // 12, months % 12 + 1, 1)
    names = (await connection.execute(PARTITIONS)).scalars()
    found = [Month(dt.date(int(m[1]), int(m[2]), 1)) for m in map(SHAPE.fullmatch, names) if m]
    return sorted(month for month in found if month.begins < first_kept)


async def why_kept(connection: AsyncConnection, month: Month) -> str | None:
    """What speaks against dropping this month and those before it, or None. As the system.

    A desk that has not read an event would never react to it. Without any later event a client's old cursor could not be
    told from one of today, and it would not load again.
    """
    row = (await connection.execute(BEHIND, {"ends": dt.datetime.combine(month.ends, dt.time(), dt.UTC)})).one()
    if row.readers:
        return f"{row.readers} readers have not come so far"
    return None if row.later else "there is no later event"


async def drop_month(connection: AsyncConnection, month: Month) -> None:
    """As the owner of the tables, in a transaction of its own; ask `why_kept` before. Gone already is done.

    Raises the driver's LockNotAvailable when somebody holds the log for a second: nothing happened, try later.
    """
    await connection.execute(PATIENCE)
    # The default partition forbids DETACH … CONCURRENTLY, so the drop itself takes the lock, for milliseconds.
    await connection.execute(text(f"drop table if exists public.events_{month.begins:%Y%m}"))
