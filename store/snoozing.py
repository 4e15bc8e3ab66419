"""Snoozed conversations: how long one still sleeps, and its waking. The row alone decides, under its lock."""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events

LONGEST = dt.timedelta(days=5 * 366)  # ahead

LOOK = text(
    """
    select snoozed_until from conversations
    where tenant_id = :tenant and id = :id and status = 'snoozed' and snoozed_until is not null
      and merged_into is null and deleted_at is null
    for no key update
    """
)
WAKE = text(
    """
    update conversations set status = 'open', snoozed_until = null where tenant_id = :tenant and id = :id
    returning version, inbox_id
    """
)
ASLEEP = text("select exists (select from conversations where tenant_id = :tenant and id = :id and status = 'snoozed')")


@dataclass(frozen=True, slots=True)
class Sleep:
    """`seconds` until it is due; None when it does not sleep, or not any more."""

    seconds: float | None = None
    woken: bool = False


async def wake_if_due(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID, *, now: dt.datetime
) -> Sleep:
    """Open it if its time has come, with its event. A mail that is ingested at this moment goes first or finds it open."""
    key = {"tenant": tenant_id, "id": conversation_id}
    row = (await connection.execute(LOOK, key)).first()
    if row is None:
        return Sleep()
    left = (row.snoozed_until - now).total_seconds()
    if left > 0:
        return Sleep(left)
    woken = (await connection.execute(WAKE, key)).one()
    event = NewEvent(
        type="conversation.updated",
        tenant_id=tenant_id,
        inbox_id=woken.inbox_id,
        conversation_id=conversation_id,
        payload={"version": woken.version, "changed": ["status"], "status": "open", "woken": True},
    )
    await append_events(connection, [event])
    return Sleep(woken=True)


async def is_asleep(connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID) -> bool:
    """Whether it is snoozed, so that a timer may run for it."""
    return bool((await connection.execute(ASLEEP, {"tenant": tenant_id, "id": conversation_id})).scalar_one())
