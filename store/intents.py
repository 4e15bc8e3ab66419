"""Intents: what people chose here and the mail server shall show too. Asked for, found for a folder, and closed by what is known.

`off` (the default) writes nothing back; `read` writes that a mail was read. Only inboxes that are read by IMAP have it.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events
from store.ledger import Place
from store.visibility import Viewer

SETTING = "write_back"
OFF, READ = "off", "read"

# A mail in a folder that is not read any more can be neither written to nor watched.
UNSEEN = """
  select from ledger l join folders f on f.tenant_id = l.tenant_id and f.id = l.folder_id
  where l.tenant_id = m.tenant_id and l.message_id = m.id and l.uid is not null and l.gone_at is null
    and f.synced and f.uidvalidity = l.uidvalidity and not '\\Seen' = any(l.flags)
"""
ASK = text(
    f"""
    insert into intents (tenant_id, inbox_id, message_id, kind, asked_by)
    select m.tenant_id, m.inbox_id, m.id, 'read', :actor
    from messages m join inboxes i on i.tenant_id = m.tenant_id and i.id = m.inbox_id
    where i.provider = 'imap' and i.settings ->> '{SETTING}' = '{READ}' and m.tenant_id = :tenant
      and m.conversation_id = :conversation and m.direction = 'inbound' and m.is_read and exists ({UNSEEN})
    order by m.id
    on conflict (tenant_id, message_id, kind) do update
      set state = 'open', asked_at = now(), asked_by = excluded.asked_by, closed_at = null
      where intents.state <> 'open'
    returning inbox_id
    """  # constants of this file
)
DUE = text(
    """
    select l.uid, l.flags
    from intents t
    join messages m on m.tenant_id = t.tenant_id and m.id = t.message_id
    join ledger l on l.tenant_id = t.tenant_id and l.message_id = t.message_id
    where t.tenant_id = :tenant and t.inbox_id = :inbox and t.state = 'open' and t.kind = 'read' and m.is_read
      and l.folder_id = :folder and l.uidvalidity = :uidvalidity and l.uid is not null and l.gone_at is null
      and not '\\Seen' = any(l.flags)
    order by l.uid limit :limit
    """
)
SETTLE = text(
    f"""
    with judged as (
      select t.id, case
        when not m.is_read then 'superseded'
        when not exists (select from ledger l where l.tenant_id = t.tenant_id and l.message_id = t.message_id
                           and l.gone_at is null) then 'gone'
        when not exists ({UNSEEN}) then 'done' end as state
      from intents t join messages m on m.tenant_id = t.tenant_id and m.id = t.message_id
      where t.tenant_id = :tenant and t.inbox_id = :inbox and t.state = 'open' for no key update of t
    )
    update intents t set state = judged.state, closed_at = now() from judged
    where t.tenant_id = :tenant and t.id = judged.id and judged.state is not null
    returning t.message_id, t.kind, t.state, (select conversation_id from messages m
      where m.tenant_id = t.tenant_id and m.id = t.message_id) as conversation_id
    """  # constants of this file
)
REFUSE = text(
    """
    update intents t set state = 'refused', closed_at = now() from ledger l
    where t.tenant_id = :tenant and t.inbox_id = :inbox and t.state = 'open' and l.tenant_id = t.tenant_id
      and l.message_id = t.message_id and l.folder_id = :folder and l.uidvalidity = :uidvalidity and l.uid = any(:uids)
    returning t.message_id, t.kind, t.state, (select conversation_id from messages m
      where m.tenant_id = t.tenant_id and m.id = t.message_id) as conversation_id
    """
)
WITHDRAW = text(
    """
    update intents set state = 'withdrawn', closed_at = now()
    where tenant_id = :tenant and inbox_id = :inbox and state = 'open'
    """
)
WORTH_TELLING = frozenset({"superseded", "refused"})


@dataclass(frozen=True, slots=True)
class DueFlags:
    """A mail of the folder that should be read at the server and, as far as the ledger knows, is not."""

    uid: int
    flags: frozenset[str]


def writes_back(settings: Mapping[str, Any]) -> bool:
    return settings.get(SETTING) == READ


async def intend_read(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID
) -> uuid.UUID | None:
    """Intents for the conversation's read mails that the server shows as unread. The inbox to be told, or None: nothing new.

    Call it in the transaction that marks them. Twice is once.
    """
    rows = await connection.execute(
        ASK, {"tenant": viewer.tenant_id, "conversation": conversation_id, "actor": viewer.actor}
    )
    return next((uuid.UUID(str(i)) for i in rows.scalars().all()), None)


async def due_in_folder(connection: AsyncConnection, place: Place, *, limit: int) -> list[DueFlags]:
    """What is to be written in this folder, by UID. A mail that became unread meanwhile is not among them."""
    rows = await connection.execute(DUE, {**place.bound(), "limit": limit})
    return [DueFlags(int(r.uid), frozenset(r.flags)) for r in rows]


async def settle(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> int:
    """Close what the ledger decides: read everywhere, marked unread at the provider since, or gone. Returns how many.

    It asks the ledger and not our own doing, so our change coming back as news and a colleague's in another program are the
    same. Twice is once.
    """
    rows = (await connection.execute(SETTLE, {"tenant": tenant_id, "inbox": inbox_id})).all()
    await _tell(connection, tenant_id, inbox_id, rows)
    return len(rows)


async def refuse(connection: AsyncConnection, place: Place, uids: list[int]) -> None:
    """The server does not let flags be stored in this folder: not tried again before somebody asks again."""
    rows = (await connection.execute(REFUSE, {**place.bound(), "uids": uids})).all()
    await _tell(connection, place.tenant_id, place.inbox_id, rows)


async def withdraw(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> None:
    """Writing back was switched off: what waits is not written any more."""
    await connection.execute(WITHDRAW, {"tenant": tenant_id, "inbox": inbox_id})


async def _tell(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, rows: Any) -> None:
    events = [
        NewEvent(
            "message.updated",
            tenant_id,
            inbox_id=inbox_id,
            conversation_id=row.conversation_id,
            message_id=row.message_id,
            payload={"what": "write_back", "kind": row.kind, "state": row.state},
        )
        for row in rows
        if row.state in WORTH_TELLING
    ]
    if events:
        await append_events(connection, events)
