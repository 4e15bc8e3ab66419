"""What an inbox has chosen for agents' replies of which nobody knows whether they were sent (integrity S-5)."""

import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

SETTING = "send_policy"
AT_LEAST_ONCE = "at_least_once"

READ = text(
    """
    select i.settings ->> :setting from messages m
    join inboxes i on i.tenant_id = m.tenant_id and i.id = m.inbox_id
    where m.tenant_id = :tenant and m.id = :id
    """
)


async def at_least_once(connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID) -> bool:
    """True when the message's inbox prefers a second copy to a question; the default is to ask."""
    bound = {"setting": SETTING, "tenant": tenant_id, "id": message_id}
    return (await connection.execute(READ, bound)).scalar_one_or_none() == AT_LEAST_ONCE
