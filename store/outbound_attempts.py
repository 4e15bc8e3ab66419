"""One attempt to submit, as the row sees it: claimed, stage by stage, ended. The row is the lock and the fence.

`send_attempts` numbers the attempts; a stage is committed only by the attempt whose number stands there, so an old
attempt that wakes up finds another number and stops (integrity T-7). Stage `dot` is committed before the dot leaves
(S-2), and a row found at `dot` is never claimed again.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import SendStage, SendStatus
from store.event_log import NewEvent, append_events
from store.send_steps import append_step

PLAN = text(
    """
    select m.kind, m.send_status, m.send_stage, m.raw_key, m.sent_copy_at,
           greatest(m.undo_until, m.scheduled_at) as due_at,
           (select i.provider from inboxes i where i.tenant_id = m.tenant_id and i.id = m.inbox_id) as provider,
           exists (select from message_recipients r where r.tenant_id = m.tenant_id and r.message_id = m.id
                   and r.delivery_status in ('sent', 'delivered', 'bounced', 'complained')) as taken
    from messages m where m.tenant_id = :tenant and m.id = :id and m.direction = 'outbound'
    """
)
CLAIM = text(
    """
    update messages set send_status = 'sending', send_stage = 'connect', send_attempts = send_attempts + 1,
      first_attempt_at = coalesce(first_attempt_at, :now)
    where tenant_id = :tenant and id = :id and direction = 'outbound' and raw_key is not null
      and (send_status in ('queued', 'scheduled')
           or (send_status = 'sending' and send_stage is distinct from 'dot'))
      and coalesce(greatest(undo_until, scheduled_at), :now) <= :now
    returning send_attempts, first_attempt_at, inbox_id, conversation_id, kind
    """
)
STAGE = text(
    """
    update messages set send_stage = :stage
    where tenant_id = :tenant and id = :id and send_status = 'sending' and send_attempts = :attempt
      and send_stage is distinct from 'dot'
    """
)


class PlanState(StrEnum):
    """`doubt`: at its dot, or unknown and seen in Sent since. `unknown`: a person decides. `gone`: nothing to send."""

    WAITING = "waiting"
    DUE = "due"
    DOUBT = "doubt"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    GONE = "gone"


ENDS = {
    SendStatus.SENT: PlanState.SENT,
    SendStatus.FAILED: PlanState.FAILED,
    SendStatus.UNKNOWN: PlanState.UNKNOWN,
    SendStatus.CANCELLED: PlanState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What the row asks for. `copy_missing`: a server took it for somebody, and Sent may lack it. `provider` is its inbox's."""

    state: PlanState
    wait_seconds: float
    kind: str
    copy_missing: bool
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to make one attempt. `first_attempt_at` is when this round began."""

    attempt: int
    first_attempt_at: dt.datetime


class StageLost(Exception):
    """Another attempt owns the row, or it was settled: this attempt must not go on."""


async def plan(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID, now: dt.datetime
) -> RowPlan:
    """What to do with a message now. Reads only."""
    row = (await connection.execute(PLAN, {"tenant": tenant_id, "id": message_id})).first()
    if row is None:
        return RowPlan(PlanState.GONE, 0.0, "message", copy_missing=False)
    wait, state = 0.0, ENDS.get(row.send_status, PlanState.GONE)
    copy_missing = bool(row.taken and row.raw_key and row.sent_copy_at is None)
    if row.send_status in {SendStatus.QUEUED, SendStatus.SCHEDULED}:
        wait = max(0.0, (row.due_at - now).total_seconds()) if row.due_at is not None else 0.0
        state = PlanState.WAITING if wait > 0 else PlanState.DUE
    elif row.send_status == SendStatus.SENDING:
        state = PlanState.DOUBT if row.send_stage == SendStage.DOT else PlanState.DUE
    elif row.send_status == SendStatus.UNKNOWN and row.sent_copy_at is not None:
        state = PlanState.DOUBT  # the mail has turned up in Sent since: there is proof to be found
    if row.send_status not in {SendStatus.SENT, SendStatus.FAILED}:
        copy_missing = False
    return RowPlan(state, wait, row.kind, copy_missing, row.provider or "")


async def claim(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    now: dt.datetime,
    workflow_run: str | None = None,
) -> Claim | None:
    """Take the next attempt of a frozen, due message; None when it is not to be sent (settled, cancelled, at `dot`).

    Taking it from an attempt that still runs before its dot is safe: that one can commit no further stage.
    """
    bound: dict[str, Any] = {"tenant": tenant_id, "id": message_id, "now": now}
    row = (await connection.execute(CLAIM, bound)).first()
    if row is None:
        return None
    await append_step(
        connection,
        tenant_id=tenant_id,
        message_id=message_id,
        step="attempt",
        attempt=row.send_attempts,
        workflow_run=workflow_run,
    )
    told = NewEvent(
        type="message.updated",
        tenant_id=tenant_id,
        inbox_id=row.inbox_id,
        conversation_id=row.conversation_id,
        message_id=message_id,
        payload={"kind": row.kind, "send_status": SendStatus.SENDING.value},
    )
    await append_events(connection, [told])
    return Claim(row.send_attempts, row.first_attempt_at)


async def commit_stage(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    attempt: int,
    stage: str,
    workflow_run: str | None = None,
) -> None:
    """Write the stage that the attempt is about to enter; `dot` leaves a step in the timeline, since from there on the mail
    may be out. Raises StageLost unless the row is this attempt's.
    """
    bound = {"tenant": tenant_id, "id": message_id, "attempt": attempt, "stage": stage}
    if (await connection.execute(STAGE, bound)).rowcount == 0:
        raise StageLost
    if stage == SendStage.DOT:
        await append_step(
            connection,
            tenant_id=tenant_id,
            message_id=message_id,
            step="dot",
            attempt=attempt,
            workflow_run=workflow_run,
        )
