"""Locking an outbound message with its conversation, always in the same order, and moving it to its next status.

Order of locks everywhere in the outbound path: conversation, then message. Every move keeps the conversation's counters
and writes its event in the same transaction, so a crash leaves the old status whole or the new one whole.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import MessageKind, SendStatus
from store.event_log import NewEvent, append_events

MERGE_HOPS = 20  # a chain of merges longer than this is a defect, not a conversation

PLACE = text(
    "select conversation_id from messages where tenant_id = :tenant and id = :id and direction = 'outbound'"
)
LOCK_CONVERSATION = text(
    "select id, merged_into, deleted_at from conversations where tenant_id = :tenant and id = :id for no key update"
)
LOCK_MESSAGE = text(
    """
    select id, conversation_id, inbox_id, kind, sender_type, author_id, send_status, send_stage, send_attempts,
           send_round, undo_until, scheduled_at, first_attempt_at, unknown_since, raw_key
    from messages where tenant_id = :tenant and id = :id and direction = 'outbound' for no key update
    """
)
SET_STATUS = text(
    """
    update messages set send_status = :status, send_error = :error,
      send_stage = case when :keep_stage then send_stage else null end
    where tenant_id = :tenant and id = :id
    """
)
COUNT_ENDS = text(
    """
    update conversations
    set failed_sends = greatest(0, failed_sends + :failed), unknown_sends = greatest(0, unknown_sends + :unknown)
    where tenant_id = :tenant and id = :id returning version
    """
)
EVENT_OF = {
    SendStatus.QUEUED: "message.queued",
    SendStatus.SCHEDULED: "message.queued",
    SendStatus.SENT: "message.sent",
    SendStatus.FAILED: "message.failed",
    SendStatus.UNKNOWN: "message.unknown",
    SendStatus.CANCELLED: "message.cancelled",
}


@dataclass(frozen=True, slots=True)
class LockedMessage:
    """An outbound message whose row and conversation this transaction holds."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    conversation_id: uuid.UUID | None
    inbox_id: uuid.UUID
    kind: str
    sender_type: str
    author_id: uuid.UUID | None
    send_status: str
    send_stage: str | None
    send_attempts: int
    send_round: int
    undo_until: dt.datetime | None
    scheduled_at: dt.datetime | None
    first_attempt_at: dt.datetime | None
    unknown_since: dt.datetime | None
    raw_key: str | None

    @property
    def by_person(self) -> bool:
        """Automatic mails ask nothing of anybody: they are not counted among the failed and unknown ones (S-5)."""
        return self.kind == MessageKind.MESSAGE


async def lock_conversation(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID
) -> uuid.UUID | None:
    """Lock a conversation, or the one it was merged into, and give its id; None when it is gone."""
    for _ in range(MERGE_HOPS):
        bound = {"tenant": tenant_id, "id": conversation_id}
        row = (await connection.execute(LOCK_CONVERSATION, bound)).first()
        if row is None or row.deleted_at is not None:
            return None
        if row.merged_into is None:
            return conversation_id
        conversation_id = row.merged_into
    return None


async def lock_message(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_id: uuid.UUID
) -> LockedMessage | None:
    """Lock an outbound message after its conversation. None for an unknown, foreign or inbound id."""
    bound = {"tenant": tenant_id, "id": message_id}
    for _ in range(MERGE_HOPS):
        place = (await connection.execute(PLACE, bound)).first()
        if place is None:
            return None
        if place.conversation_id is not None:
            await connection.execute(LOCK_CONVERSATION, {"tenant": tenant_id, "id": place.conversation_id})
        row = (await connection.execute(LOCK_MESSAGE, bound)).mappings().first()
        if row is None:
            return None
        if row["conversation_id"] == place.conversation_id:  # else a merge moved it between the two reads
            return LockedMessage(tenant_id=tenant_id, **row)
    return None


async def move(
    connection: AsyncConnection,
    row: LockedMessage,
    to: SendStatus,
    *,
    actor: str = "system",
    error: str | None = None,
    keep_stage: bool = True,
    payload: Mapping[str, Any] | None = None,
    event: str | None = None,
) -> None:
    """Set the status of a locked message, its conversation's counters and the event that tells it.

    `error` is a sentence for people and replaces the old one. `keep_stage=False` clears the stage: a new try begins.
    `event` names another event than the status's own. Automatic mails fail quietly: nobody is asked to act (S-5).
    """
    await connection.execute(
        SET_STATUS,
        {"status": to.value, "error": error, "keep_stage": keep_stage, "tenant": row.tenant_id, "id": row.id},
    )
    bound: dict[str, Any] = {"send_status": to.value, **(payload or {})}
    version = await _count(connection, row, to)
    if version is not None:
        bound["version"] = version
    quiet = not row.by_person and to in {SendStatus.FAILED, SendStatus.UNKNOWN}
    told = event or ("message.updated" if quiet else EVENT_OF[to])
    await tell(connection, row, told, actor=actor, payload=bound)
    if version is not None:
        await tell(connection, row, "conversation.updated", actor=actor, payload={"version": version})


async def tell(
    connection: AsyncConnection, row: LockedMessage, event: str, *, actor: str, payload: Mapping[str, Any]
) -> None:
    """One event about a message."""
    await append_events(
        connection,
        [
            NewEvent(
                type=event,
                tenant_id=row.tenant_id,
                inbox_id=row.inbox_id,
                conversation_id=row.conversation_id,
                message_id=None if event.startswith("conversation.") else row.id,
                actor=actor,
                payload={"kind": row.kind, **payload} if event.startswith("message.") else payload,
            )
        ],
    )


async def _count(connection: AsyncConnection, row: LockedMessage, to: SendStatus) -> int | None:
    failed = (to is SendStatus.FAILED) - (row.send_status == SendStatus.FAILED)
    unknown = (to is SendStatus.UNKNOWN) - (row.send_status == SendStatus.UNKNOWN)
    if row.conversation_id is None or not row.by_person or not (failed or unknown):
        return None
    bound = {"failed": failed, "unknown": unknown, "tenant": row.tenant_id, "id": row.conversation_id}
    return int((await connection.execute(COUNT_ENDS, bound)).scalar_one())
