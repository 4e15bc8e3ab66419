"""Who was told of a mail, as steps: each delivery about one of its events, with how its last attempt went."""

import uuid
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.timeline_steps import MOST, StepKind, TimelineStep

ABOUT = text(
    """
    select p.name, d.status, d.attempts, d.response_status, d.error, d.attempted_at, d.created_at,
      p.next_attempt_at, p.status as standing
    from events e
    join webhook_deliveries d on d.tenant_id = e.tenant_id and d.event_id = e.id
    join webhook_endpoints p on p.tenant_id = d.tenant_id and p.id = d.endpoint_id
    where e.tenant_id = :tenant and e.message_id = :message
    order by d.id limit :most
    """
)


async def webhook_steps(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID
) -> list[TimelineStep]:
    """Unsorted; deliveries are kept for thirty days. The endpoint's name is told, its address and secret are not."""
    rows = await connection.execute(ABOUT, {"tenant": tenant_id, "message": message_id, "most": MOST})
    return [_step(row) for row in rows]


def _step(row: Row[Any]) -> TimelineStep:
    at, code, told = row.attempted_at or row.created_at, row.response_status, f"“{row.name}”"
    if row.status == "delivered":
        return TimelineStep(at, "webhook delivered", StepKind.WEBHOOK, told, row.attempts, code)
    why = f"{told}: {row.error}" if row.error else told
    if row.status == "failed":
        return TimelineStep(at, "webhook given up", StepKind.WEBHOOK, why, row.attempts, code)
    if row.standing == "disabled":
        return TimelineStep(at, "webhook held back", StepKind.WEBHOOK, why, row.attempts, code)
    step = "webhook put off" if row.attempts else "webhook waiting"
    return TimelineStep(at, step, StepKind.WEBHOOK, why, row.attempts, code, next_at=row.next_attempt_at)
