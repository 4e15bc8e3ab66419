"""How a message of ours went out, as steps: queued, frozen, tried, settled, filed; and what others reported about it."""

import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.send_steps import read_steps
from store.timeline_steps import MOST, StepKind, TimelineStep

# Who did it stands in the step's detail.
BY_PEOPLE = frozenset({"cancelled", "retried", "resolved_sent", "resolved_send_again"})
# What a report says stands in its own steps, one for each recipient.
TOLD_BY_REPORTS = frozenset({"bounced", "complained", "reported"})

# The mail that brought the report, where it came by mail: an event's id begins with that mail's ledger row.
REPORTS = text(
    """
    select e.created_at, e.status, e.recipient, e.bounce_class, e.enhanced_code, l.message_id as brought_by
    from delivery_events e
    left join ledger l on l.tenant_id = e.tenant_id and l.id = case
      when e.provider_event_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:'
      then cast(split_part(e.provider_event_id, ':', 1) as uuid) end
    where e.tenant_id = :tenant and e.message_id = :id
    order by e.id limit :limit
    """
)
SUPPRESSED = text(
    """
    select created_at, address, reason, expires_at from suppressed_addresses
    where tenant_id = :tenant and message_id = :id order by created_at limit :limit
    """
)


async def outbound_steps(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID
) -> list[TimelineStep]:
    """The steps of a message that we wrote, unsorted; empty for any other."""
    bound = {"tenant": tenant_id, "id": message_id, "limit": MOST}
    sends = await read_steps(connection, tenant_id=tenant_id, message_id=message_id, limit=MOST)
    reports = (await connection.execute(REPORTS, bound)).all()
    steps = [
        TimelineStep(
            s.at,
            s.step,
            StepKind.PERSON if s.step in BY_PEOPLE else StepKind.SEND,
            "" if s.step in BY_PEOPLE else s.detail,
            attempt=s.attempt,
            code=s.code,
            actor=s.detail if s.step in BY_PEOPLE else "system",
            next_at=s.next_at,
            run=s.workflow_run,
            flow="send",
        )
        for s in sends
        if not (reports and s.step in TOLD_BY_REPORTS)
    ]
    steps += [
        TimelineStep(
            r.created_at,
            f"report: {r.status}",
            StepKind.REPORT,
            " ".join(filter(None, (r.recipient, r.bounce_class, r.enhanced_code))),
            about=r.brought_by,
        )
        for r in reports
    ]
    steps += [
        TimelineStep(
            s.created_at, "suppressed", StepKind.RULE, f"{s.address} {s.reason}", next_at=s.expires_at
        )
        for s in await connection.execute(SUPPRESSED, bound)
    ]
    return steps
