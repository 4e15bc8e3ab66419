"""What the sweep asks of the desks of all tenants: to compare their counters once a day, and to look where time has moved conversations
while nothing else happened. The desk's turn does it (`activities/desk_views.py`); here its events are written.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MOST = 50  # tenants in one sweep: a check reads all conversations of one
# Noted as it is asked: a second sweep asks others. A check that is lost with its desk is asked again a day later.
ASK = text(
    f"""
    with due as (
      select id from tenants t where coalesce(counts_checked_at, t.created_at) < now() - interval '1 day'
      order by counts_checked_at nulls first limit {MOST} for no key update skip locked
    ), noted as (update tenants t set counts_checked_at = now() from due where t.id = due.id returning t.id)
    insert into events (tenant_id, type) select id, 'counts.check' from noted
    """
)
MOVE = text(
    """
    insert into events (tenant_id, type)
    select distinct tenant_id, 'views.due' from views
    where moved_at < now() - interval '1 minute' and conditions::text ~ '"(older_than|newer_than|within)"'
    """
)
DRIFT = text("select coalesce(sum(counts_drift), 0)::bigint from tenants where counts_drift > 0")


async def ask_for_checks(connection: AsyncConnection) -> int:
    """As the system: bring the desks to it; how many events were written."""
    asked = (await connection.execute(ASK)).rowcount
    return int(asked) + int((await connection.execute(MOVE)).rowcount)


async def counter_drift(connection: AsyncConnection) -> int:
    """As the system: by how many conversations the counters were wrong at the last checks of all tenants."""
    return int((await connection.execute(DRIFT)).scalar_one())
