"""Proven messages of SNS: written down once, applied to the mail that they tell of, and kept where that cannot be found.

Works over all tenants, since a notice names no tenant; `mailroom_system` runs it. The notice's end and everything it changes
are one transaction: dying leaves it waiting, and the sweep applies it.
"""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.ses_events import SEND_TAG, read_ses_event
from mail.ses_receipts import read_receipt
from models.enums import NoticeState
from store.ses_events import apply_ses_event, find_message
from store.ses_receipts import write_receipt

UNMATCHED_AFTER = dt.timedelta(minutes=10)  # an event may come before the id that it names is written down
MOST_ATTEMPTS = 5
KEPT = dt.timedelta(days=30)

INSERT = text(
    """
    insert into sns_notices (message_id, topic, kind, body, state, received_at, settled_at)
    values (:message_id, :topic, :kind, :body, :state, :now, case when :state = 'waiting' then null else cast(:now as timestamptz) end)
    on conflict (message_id) do nothing returning id
    """
)
TAKE = text(
    "select id, body, received_at from sns_notices where id = :id and state = 'waiting' for update skip locked"
)
# A notice that was just written is being applied by whoever wrote it.
WAITING = text(
    """
    select id from sns_notices where state = 'waiting' and received_at < :before order by attempts, id limit :limit
    """
)
SETTLE = text(
    """
    update sns_notices set state = :state, reason = :reason, settled_at = :now,
      body = case when :state = 'applied' then '' else body end where id = :id
    """
)
FAILED = text(
    """
    update sns_notices set attempts = attempts + 1, reason = :reason,
      state = case when attempts + 1 >= :most then 'failed' else state end,
      settled_at = case when attempts + 1 >= :most then cast(:now as timestamptz) end
    where id = :id and state = 'waiting'
    """
)
KNOWN = text("select 1 from sns_notices where message_id = :message_id")
FORGET = text("delete from sns_notices where received_at < :before and state <> 'waiting'")


@dataclass(frozen=True, slots=True)
class ProvenNotice:
    """A message whose signature held. `body` is what was published; `waits` False for what asks for no work."""

    message_id: str
    topic: str
    kind: str
    body: str
    waits: bool = True


async def write_notice(connection: AsyncConnection, notice: ProvenNotice, *, now: dt.datetime) -> uuid.UUID | None:
    """The new row's id, or None when SNS has told it before."""
    bound = {
        "message_id": notice.message_id,
        "topic": notice.topic,
        "kind": notice.kind,
        "body": notice.body.replace("\0", ""),
        "state": (NoticeState.WAITING if notice.waits else NoticeState.IGNORED).value,
        "now": now,
    }
    row = (await connection.execute(INSERT, bound)).first()
    return row.id if row is not None else None


async def notice_known(connection: AsyncConnection, message_id: str) -> bool:
    """Whether SNS has told this message before."""
    return (await connection.execute(KNOWN, {"message_id": message_id})).first() is not None


async def apply_notice(connection: AsyncConnection, notice_id: uuid.UUID, *, now: dt.datetime) -> NoticeState | None:
    """Apply one waiting notice and say what became of it; None when it is settled or somebody else is at it."""
    row = (await connection.execute(TAKE, {"id": notice_id})).first()
    if row is None:
        return None
    receipt = read_receipt(row.body)
    if receipt is not None:
        await write_receipt(connection, receipt.object_id, receipt.recipients, at=receipt.received_at or row.received_at)
        return await _settle(connection, notice_id, NoticeState.APPLIED, None, now)
    event = read_ses_event(row.body)
    if event is None:
        return await _settle(connection, notice_id, NoticeState.IGNORED, "no event that says something of a mail", now)
    found = await find_message(connection, event)
    if found is None:
        if now - row.received_at < UNMATCHED_AFTER:
            return NoticeState.WAITING
        return await _settle(connection, notice_id, NoticeState.UNMATCHED, f"no mail of ours: neither its {SEND_TAG} nor its id is known", now)
    tenant_id, message_id = found
    await apply_ses_event(connection, tenant_id=tenant_id, message_id=message_id, event=event, now=now)
    return await _settle(connection, notice_id, NoticeState.APPLIED, None, now)


async def waiting_notices(connection: AsyncConnection, *, before: dt.datetime, limit: int = 200) -> list[uuid.UUID]:
    """Notices that came before `before` and are not applied yet, those that failed least first."""
    rows = await connection.execute(WAITING, {"before": before, "limit": limit})
    return [row.id for row in rows]


async def note_failure(connection: AsyncConnection, notice_id: uuid.UUID, *, kind: str, now: dt.datetime) -> None:
    """Count a failed attempt, by the error's type; after five the notice is put aside as `failed`."""
    await connection.execute(FAILED, {"id": notice_id, "reason": kind, "most": MOST_ATTEMPTS, "now": now})


async def forget_notices(connection: AsyncConnection, *, now: dt.datetime) -> int:
    """Delete settled notices after thirty days. Repeats harmlessly."""
    return (await connection.execute(FORGET, {"before": now - KEPT})).rowcount


async def _settle(
    connection: AsyncConnection, notice_id: uuid.UUID, state: NoticeState, reason: str | None, now: dt.datetime
) -> NoticeState:
    await connection.execute(SETTLE, {"state": state.value, "reason": reason, "id": notice_id, "now": now})
    return state
