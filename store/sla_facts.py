"""What clocks are worked out from: a conversation's mails, answers and statuses, and what the conditions of policies look at.

Rows come back as mappings; what they mean is for `rules/`. Conversations are locked first, in the order of their ids.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk import insert_rows, insertion

Rows = list[Mapping[str, Any]]

USED = text(
    """
    select exists (select from sla_policies where tenant_id = :tenant and deleted_at is null)
      or exists (select from business_hours where tenant_id = :tenant and deleted_at is null)
    """
)
LOCKED = """
    select c.id, c.channel, c.priority, c.inbox_id, c.status, c.merged_into, c.deleted_at, c.updated_at, c.assigned_to, c.team_id,
      coalesce((select p.vip from contacts p where p.tenant_id = :tenant and p.id = c.contact_id), false) as vip,
      array(select g.tag_id from conversation_tags g where g.tenant_id = :tenant and g.conversation_id = c.id) as tags
    from conversations c where c.tenant_id = :tenant and c.id = any(cast(:ids as uuid[]))
    order by c.id
"""
ABOUT = text(LOCKED)
LOCK = text(f"{LOCKED} for no key update of c")
LOCK_FREE = text(f"{LOCKED} for no key update of c skip locked")
# What starts or ends a wait. Automatic mail and what a flood brought wait for nobody; a mail passed on to somebody else, a
# cancelled or failed one answers nobody; one for later answers when it is to leave, one that was tried again by then. A mail
# of the Sent folder was written elsewhere: ours have no classification.
MAILS = text(
    """
    select m.id, m.conversation_id, m.historical, m.direction, m.created_at,
      m.direction = 'outbound' and m.classification is not null as elsewhere,
      case when m.direction = 'inbound' then m.received_at
           else greatest(case when m.send_round > 0 then coalesce(m.undo_until, m.received_at) else m.received_at end, m.scheduled_at)
      end as at
    from messages m
    where m.tenant_id = :tenant and m.conversation_id = any(cast(:ids as uuid[])) and m.kind = 'message'
      and ((m.direction = 'inbound' and m.sender_type = 'customer' and m.is_auto is null
            and (m.historical or coalesce(m.silence_reason, '') <> 'incoming-flood'))
        or (m.direction = 'outbound' and m.sender_type = 'agent' and m.forward_of is null
            and (m.send_status in ('sending', 'sent', 'unknown') or (m.send_status = 'queued' and m.scheduled_at is null))))
    """
)
STATUSES = text(
    """
    select conversation_id, at, status from conversation_statuses
    where tenant_id = :tenant and conversation_id = any(cast(:ids as uuid[])) order by at
    """
)
CLOCKS = text(
    "select * from sla_clocks where tenant_id = :tenant and conversation_id = any(cast(:ids as uuid[])) order by started_at, target"
)
KEEP_STATUS = insertion(
    "conversation_statuses",
    {"conversation_id": "uuid", "at": "timestamptz", "status": "text"},
    "where exists (select from conversations c where c.tenant_id = :tenant and c.id = v.conversation_id)"
    " on conflict (tenant_id, conversation_id, at) do update set status = excluded.status",
)
OF_CONTACTS = text(
    """
    select distinct k.conversation_id from sla_clocks k
    join conversations c on c.tenant_id = :tenant and c.id = k.conversation_id
    where k.tenant_id = :tenant and k.ended_at is null and c.contact_id = any(cast(:contacts as uuid[]))
    """
)
DUE = text(
    """
    select conversation_id from sla_clocks where tenant_id = :tenant and next_at <= :now order by next_at, id limit :limit
    """
)
NEXT = text("select min(next_at) from sla_clocks where tenant_id = :tenant and next_at is not null")
NOW = text("select clock_timestamp()")


async def used(connection: AsyncConnection, tenant_id: uuid.UUID) -> bool:
    """Whether this tenant measures anything: it has a policy or business hours."""
    return bool((await connection.execute(USED, {"tenant": tenant_id})).scalar_one())


async def lock_conversations(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID], *, free_only: bool = False
) -> Rows:
    """Lock them and read what conditions look at. `free_only` leaves out those that somebody else holds, and waits for nobody."""
    statement = LOCK_FREE if free_only else LOCK
    return await _rows(connection, statement, tenant_id, ids)


async def about_conversations(connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> Rows:
    """As `lock_conversations`, without a lock: to show."""
    return await _rows(connection, ABOUT, tenant_id, ids)


async def mails_of(connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> Rows:
    return await _rows(connection, MAILS, tenant_id, ids)


async def statuses_of(connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> Rows:
    return await _rows(connection, STATUSES, tenant_id, ids)


async def clocks_of(connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> Rows:
    return await _rows(connection, CLOCKS, tenant_id, ids)


async def keep_statuses(
    connection: AsyncConnection, tenant_id: uuid.UUID, changes: Mapping[tuple[uuid.UUID, dt.datetime], str]
) -> None:
    """Note when conversations took which status. Noting it twice is noting it once; a conversation that is gone is left out."""
    rows = [{"conversation_id": c, "at": at, "status": status} for (c, at), status in changes.items()]
    await insert_rows(connection, KEEP_STATUS, tenant_id, rows)


async def running_of_contacts(
    connection: AsyncConnection, tenant_id: uuid.UUID, contacts: Sequence[uuid.UUID]
) -> list[uuid.UUID]:
    """Conversations of these contacts that have a clock running."""
    found = await connection.execute(OF_CONTACTS, {"tenant": tenant_id, "contacts": list(contacts)})
    return list(found.scalars())


async def due_conversations(
    connection: AsyncConnection, tenant_id: uuid.UUID, now: dt.datetime, *, limit: int
) -> list[uuid.UUID]:
    """Conversations with a clock that has something to do by now, the longest due first."""
    found = await connection.execute(DUE, {"tenant": tenant_id, "now": now, "limit": limit})
    return list(dict.fromkeys(found.scalars()))


async def next_instant(connection: AsyncConnection, tenant_id: uuid.UUID) -> dt.datetime | None:
    """When the next clock of the tenant has something to do."""
    found: dt.datetime | None = (await connection.execute(NEXT, {"tenant": tenant_id})).scalar_one()
    return found


async def database_now(connection: AsyncConnection) -> dt.datetime:
    """The one clock that instants are compared with: hosts may disagree, and nothing may fire early."""
    now: dt.datetime = (await connection.execute(NOW)).scalar_one()
    return now


async def _rows(connection: AsyncConnection, statement: Any, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> Rows:
    if not ids:
        return []
    found = await connection.execute(statement, {"tenant": tenant_id, "ids": list(ids)})
    return [dict(r) for r in found.mappings()]
