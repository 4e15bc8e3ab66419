"""How a person wants to hear of things, when their next digest is due, and from which inbox a tenant's digests are sent."""

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.notices import Wishes

SENDER = "digest_inbox"  # in the tenant's settings: the inbox that digests are sent from

READ = text(
    """
    select kinds, pace, every_minutes, daily_hour, time_zone, snippets from notice_settings
    where tenant_id = :tenant and user_id = :user
    """
)
SAVE = text(
    """
    insert into notice_settings (tenant_id, user_id, kinds, pace, every_minutes, daily_hour, time_zone, snippets)
    values (:tenant, :user, cast(:kinds as jsonb), :pace, :every_minutes, :daily_hour, :time_zone, :snippets)
    on conflict (user_id, tenant_id) do update set kinds = excluded.kinds, pace = excluded.pace,
      every_minutes = excluded.every_minutes, daily_hour = excluded.daily_hour, time_zone = excluded.time_zone,
      snippets = excluded.snippets, updated_at = now(),
      digest_due_at = case when notice_settings.digest_due_at is not null then cast(:due as timestamptz) end
    """
)
# The earlier time stands: what cannot wait does not put off what is due, and is not put off by it.
DUE = text(
    """
    insert into notice_settings (tenant_id, user_id, digest_due_at)
    select :tenant, v.user_id, v.due from unnest(cast(:users as uuid[]), cast(:dues as timestamptz[])) as v(user_id, due)
    on conflict (user_id, tenant_id) do update
      set digest_due_at = least(notice_settings.digest_due_at, excluded.digest_due_at)
    """
)
SENDER_OF = text(
    f"""
    select i.id, i.name, i.email_address from tenants t join inboxes i on i.tenant_id = t.id
      and i.id = cast(t.settings ->> '{SENDER}' as uuid) and i.deleted_at is null
    where t.id = :tenant
    """
)
SET_SENDER = text(
    f"""
    update tenants set settings = case when cast(:inbox as text) is null then settings - '{SENDER}'
      else settings || jsonb_build_object('{SENDER}', cast(:inbox as text)) end
    where id = :tenant
    """
)
USABLE = text("select 1 from inboxes where tenant_id = :tenant and id = :inbox and deleted_at is null")


async def read_wishes(connection: AsyncConnection, tenant_id: uuid.UUID, user_id: uuid.UUID) -> Wishes:
    """What was chosen, or the usual."""
    row = (await connection.execute(READ, {"tenant": tenant_id, "user": user_id})).first()
    return Wishes() if row is None else Wishes(**row._asdict())


async def save_wishes(
    connection: AsyncConnection, tenant_id: uuid.UUID, user_id: uuid.UUID, wishes: Wishes, *, kinds: str, due: dt.datetime | None
) -> None:
    """Take these over; `kinds` is their JSON. What waits for a mail already is due at `due` now."""
    given = {
        "tenant": tenant_id,
        "user": user_id,
        "kinds": kinds,
        "pace": wishes.pace,
        "every_minutes": wishes.every_minutes,
        "daily_hour": wishes.daily_hour,
        "time_zone": wishes.time_zone,
        "snippets": wishes.snippets,
        "due": due,
    }
    await connection.execute(SAVE, given)


async def set_due(
    connection: AsyncConnection, tenant_id: uuid.UUID, dues: Mapping[uuid.UUID, dt.datetime]
) -> None:
    """Something waits for these people's next mail."""
    if dues:
        users = sorted(dues, key=str)
        given = {"tenant": tenant_id, "users": [str(u) for u in users], "dues": [dues[u] for u in users]}
        await connection.execute(DUE, given)


async def digest_sender(connection: AsyncConnection, tenant_id: uuid.UUID) -> Any | None:
    """The inbox that digests are sent from (`id`, `name`, `email_address`); None where none is chosen, or it is gone."""
    return (await connection.execute(SENDER_OF, {"tenant": tenant_id})).first()


async def choose_sender(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID | None) -> bool:
    """Send digests from this inbox, or none at all. False when there is no such inbox."""
    if inbox_id is not None:
        found = await connection.execute(USABLE, {"tenant": tenant_id, "inbox": inbox_id})
        if found.first() is None:
            return False
    await connection.execute(SET_SENDER, {"tenant": tenant_id, "inbox": str(inbox_id) if inbox_id else None})
    return True
