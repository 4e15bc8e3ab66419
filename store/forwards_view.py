"""Which messages of a conversation were passed on, to whom and where; and where a conversation that began so comes from."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.visibility import Viewer, seen_inboxes

TO = """
  coalesce((select json_agg(json_build_array(r.address, r.name) order by r.position) from message_recipients r
    where r.tenant_id = f.tenant_id and r.message_id = f.id and r.recipient_type = 'to'), '[]')
"""
FORWARDS = text(
    f"""
    select c.id, c.number, f.forward_of, f.sent_at, f.send_status, {TO} as recipients
    from messages m
    join messages f on f.tenant_id = m.tenant_id and f.forward_of = m.id
    join conversations c on c.tenant_id = f.tenant_id and c.id = f.conversation_id
    where m.tenant_id = :tenant and m.conversation_id = :id and (cast(:all as boolean) or c.inbox_id = any(cast(:inboxes as uuid[])))
    order by f.sent_at desc, f.id desc limit 50
    """
)
ORIGIN = text(
    f"""
    select c.id, c.number, f.forward_of, f.sent_at, f.send_status, {TO} as recipients
    from messages f
    join messages m on m.tenant_id = f.tenant_id and m.id = f.forward_of
    join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
    where f.tenant_id = :tenant and f.conversation_id = :id and f.forward_of is not null
      and (cast(:all as boolean) or c.inbox_id = any(cast(:inboxes as uuid[])))
    order by f.sent_at, f.id limit 1
    """
)


@dataclass(frozen=True, slots=True)
class ForwardRow:
    """`conversation_id` and `number` are of the other side; `message_id` is what was passed on; `to` are (address, name)."""

    conversation_id: uuid.UUID
    number: int
    message_id: uuid.UUID
    sent_at: dt.datetime
    status: str
    to: tuple[tuple[str, str], ...]


async def forwards_of(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID
) -> tuple[list[ForwardRow], ForwardRow | None]:
    """What was passed on from here, the newest first, and where this conversation comes from; only what the viewer may see."""
    inboxes = await seen_inboxes(connection, viewer)
    bound = {"tenant": viewer.tenant_id, "id": conversation_id, "all": inboxes is None, "inboxes": inboxes or []}
    passed = [_row(r) for r in await connection.execute(FORWARDS, bound)]
    origin = (await connection.execute(ORIGIN, bound)).first()
    return passed, _row(origin) if origin is not None else None


def _row(values: Row[Any]) -> ForwardRow:
    to = tuple((address, name) for address, name in values.recipients)
    return ForwardRow(values.id, values.number, values.forward_of, values.sent_at, values.send_status, to)
