"""Once a minute: people whom nobody has seen for a while are offline, and what they do not keep goes back to its queue.

Dying between two tenants leaves the rest to the next minute; a second run finds nothing left to take back.
"""

import datetime as dt

from store.agent_status import notice_absent
from store.assignment_desk import hand_back_left, tenants_with_left
from store.unit_of_work import Database


async def look_who_is_there(database: Database, *, now: dt.datetime) -> None:
    """The desks hear of both by their events and give out again what came back."""
    async with database.system_unit_of_work() as connection:
        await notice_absent(connection, now=now)
    async with database.system_unit_of_work() as connection:
        tenants = await tenants_with_left(connection)
    for tenant_id in tenants:
        async with database.unit_of_work(tenant_id) as connection:
            await hand_back_left(connection, tenant_id, now=now)
