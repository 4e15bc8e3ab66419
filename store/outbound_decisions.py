"""What people decide about a message on its way: cancel it, try a failed one again, settle an unknown one.

Each decision is one conditional move of the locked row, so of two that race exactly one happens and the other hears
False. None of them sends anything: the send flow reads the row again.
"""

import datetime as dt
import uuid
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import SendStage, SendStatus
from store.outbound_rows import LockedMessage, lock_message, move, tell
from store.response_times import record_response
from store.send_steps import append_step
from store.sent_copies import await_copy

WAITING = frozenset({SendStatus.QUEUED, SendStatus.SCHEDULED})
ROUNDS_BY_POLICY = 2

NEW_ROUND = text(
    """
    update messages set send_round = send_round + 1, first_attempt_at = null, unknown_since = null, undo_until = :now,
      scheduled_at = null, api_submitted_at = null
    where tenant_id = :tenant and id = :id
    """
)
# Only those that no server took get it (S-7).
OPEN_AGAIN = text(
    """
    update message_recipients set delivery_status = 'pending', delivery_detail = null
    where tenant_id = :tenant and message_id = :id and delivery_status in ('failed', 'deferred', 'pending')
    """
)
CLOSE_RECIPIENTS = text(
    """
    update message_recipients set delivery_status = :status, delivery_detail = :detail
    where tenant_id = :tenant and message_id = :id and delivery_status in ('pending', 'deferred')
    """
)
TAKEN = text(
    """
    select count(*) filter (where delivery_status not in ('pending', 'deferred', 'failed')) as taken, count(*) as all
    from message_recipients where tenant_id = :tenant and message_id = :id
    """
)
# A message that was taken back never stood in the conversation: its counts go, and the list shows the one before it.
TAKE_BACK = text(
    """
    update conversations c set message_count = greatest(0, message_count - 1),
      agent_message_count = greatest(0, agent_message_count - :agent),
      snippet = coalesce(last.snippet, ''), last_message_at = coalesce(last.received_at, c.created_at),
      last_message_direction = last.direction
    from (select 1) as one left join lateral (
      select left(regexp_replace(coalesce(nullif(body_visible, ''), body_text), '\\s+', ' ', 'g'), 200) as snippet,
             received_at, direction
      from messages
      where tenant_id = :tenant and conversation_id = :conversation and id <> :id and kind = 'message'
        and send_status is distinct from 'cancelled'
      order by received_at desc, id desc limit 1
    ) last on true
    where c.tenant_id = :tenant and c.id = :conversation returning c.version
    """
)


def what_can_be_done(send_status: str | None, undo_until: dt.datetime | None, now: dt.datetime) -> list[str]:
    """The decisions that a message is open to: `cancel`, `retry`, `resolve`.

    A queued message can be cancelled for as long as no attempt runs, also after its undo window (`undo_until` only
    feeds the countdown): while a server puts us off, or while nobody is there to send it.
    """
    del undo_until, now
    if send_status in WAITING:
        return ["cancel"]
    return {SendStatus.FAILED.value: ["retry"], SendStatus.UNKNOWN.value: ["resolve"]}.get(
        send_status or "", []
    )


async def cancel_message(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID, actor: str, now: dt.datetime
) -> bool:
    """Take a message back before it leaves. False when it is too late, or there is no such message.

    Where a server has already taken it for some recipients, the others are given up and the message is `failed`,
    because it cannot be unsent.
    """
    del now
    row = await lock_message(connection, tenant_id, message_id)
    if row is None or row.send_status not in WAITING:
        return False
    bound = {"tenant": tenant_id, "id": message_id}
    counts = (await connection.execute(TAKEN, bound)).one()
    await connection.execute(CLOSE_RECIPIENTS, {**bound, "status": "failed", "detail": "cancelled"})
    if counts.taken:
        sentence = (
            f"Cancelled for the rest: {counts.taken} of {counts.all} recipients had been served before."
        )
        await move(connection, row, SendStatus.FAILED, actor=actor, error=sentence)
    else:
        if row.conversation_id is not None and row.by_person:
            agent = 1 if row.sender_type == "agent" else 0
            taken = {**bound, "conversation": row.conversation_id, "agent": agent}
            version = (await connection.execute(TAKE_BACK, taken)).scalar_one()
            await tell(
                connection, row, "conversation.updated", actor=actor, payload={"version": int(version)}
            )
        await move(connection, row, SendStatus.CANCELLED, actor=actor)
    await _step(connection, row, "cancelled", actor)
    return True


async def retry_message(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID, actor: str, now: dt.datetime
) -> bool:
    """Queue a failed message again, with the same frozen bytes and only for recipients that no server took.

    False when it has not failed, or there is no such message. Automatic mails are not retried (S-5).
    """
    row = await lock_message(connection, tenant_id, message_id)
    if row is None or row.send_status != SendStatus.FAILED or not row.by_person:
        return False
    await begin_round(connection, row, now)
    await move(connection, row, SendStatus.QUEUED, actor=actor, keep_stage=False)
    await _step(connection, row, "retried", actor)
    return True


async def resolve_message(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    outcome: Literal["sent", "send_again"],
    actor: str,
    now: dt.datetime,
) -> bool:
    """A person settles an unknown message: it was sent, or it shall be sent again with the same Message-ID and Date.

    False when it is not unknown, or there is no such message.
    """
    row = await lock_message(connection, tenant_id, message_id)
    if row is None or row.send_status != SendStatus.UNKNOWN or not row.by_person:
        return False
    if outcome == "sent":
        await connection.execute(
            CLOSE_RECIPIENTS, {"tenant": tenant_id, "id": message_id, "status": "sent", "detail": None}
        )
        await move(connection, row, SendStatus.SENT, actor=actor)
        await record_response(connection, row, row.unknown_since or now)
        await await_copy(connection, tenant_id, message_id, now)
    else:
        await begin_round(connection, row, now)
        await move(connection, row, SendStatus.QUEUED, actor=actor, keep_stage=False)
    await _step(connection, row, f"resolved_{outcome}", actor)
    return True


async def send_again_by_policy(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID, now: dt.datetime
) -> bool:
    """What an inbox with `send_policy: at_least_once` does instead of asking (S-5): one more round for an agent's reply
    at `dot`. False for automatic mails, for anything not in doubt, and after `ROUNDS_BY_POLICY`: a server that takes
    mail and never says so would otherwise be fed for ever.
    """
    row = await lock_message(connection, tenant_id, message_id)
    in_doubt = row is not None and row.send_status == SendStatus.SENDING and row.send_stage == SendStage.DOT
    if row is None or not in_doubt or not row.by_person or row.send_round >= ROUNDS_BY_POLICY:
        return False
    await begin_round(connection, row, now)
    await move(connection, row, SendStatus.QUEUED, keep_stage=False, event="message.updated")
    await _step(connection, row, "sent_again_by_policy", "system")
    return True


async def begin_round(connection: AsyncConnection, row: LockedMessage, now: dt.datetime) -> None:
    """A new round of attempts: its own 48 hours, the same bytes, the recipients that no server took."""
    bound = {"tenant": row.tenant_id, "id": row.id}
    await connection.execute(NEW_ROUND, {**bound, "now": now})
    await connection.execute(OPEN_AGAIN, bound)


async def _step(connection: AsyncConnection, row: LockedMessage, step: str, actor: str) -> None:
    await append_step(
        connection,
        tenant_id=row.tenant_id,
        message_id=row.id,
        step=step,
        attempt=row.send_attempts,
        detail=actor,
    )
