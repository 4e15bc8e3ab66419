"""Everything that happened to one message, in order: seen, stored, read and judged; or queued, tried and settled; and what
its events tell. Nothing is written for it: it is read from the ledger, the steps of its sends, and the event log.
"""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models import DeliveryEvent, Event, Folder, LedgerEntry, Message, Quarantine
from store.send_steps import read_steps
from store.visibility import Viewer, may_see

MOST = 500
# Told by the ledger or the send steps already, in more detail.
TOLD_BETTER = ("message.queued", "message.sent", "message.failed", "message.unknown", "message.cancelled")


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """`actor` is `system`, `api` or `user:<id>`. `run` is the Temporal run that did it, `flow` what kind of workflow it was
    (`sync`, `backfill` or `send`).
    """

    at: dt.datetime
    step: str
    detail: str = ""
    attempt: int = 0
    actor: str = "system"
    run: str | None = None
    flow: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    inbox_id: uuid.UUID
    folder_id: uuid.UUID | None
    steps: tuple[TimelineStep, ...]


async def read_timeline(
    connection: AsyncConnection, viewer: Viewer, message_id: uuid.UUID
) -> Timeline | None:
    """The steps, oldest first, or None for a message that the viewer may not see."""
    place = (
        await connection.execute(
            select(Message.inbox_id, Message.direction, Message.received_at).where(
                Message.tenant_id == viewer.tenant_id,
                Message.id == message_id,
                may_see(viewer, Message.inbox_id),
            )
        )
    ).first()
    if place is None:
        return None
    inbound, folder_id = await _from_ledger(connection, viewer.tenant_id, message_id)
    sends = [
        TimelineStep(
            s.at,
            s.step,
            f"{s.code} {s.detail}".strip() if s.code and not s.detail.startswith(str(s.code)) else s.detail,
            s.attempt,
            "system",
            s.workflow_run,
            "send",
        )
        for s in await read_steps(connection, tenant_id=viewer.tenant_id, message_id=message_id, limit=MOST)
    ]
    steps = [*inbound, *sends, *await _reports(connection, viewer.tenant_id, message_id)]
    steps += await _events(connection, viewer.tenant_id, message_id, skip=TOLD_BETTER if sends else ())
    return Timeline(place.inbox_id, folder_id, tuple(sorted(steps, key=lambda s: s.at)))


async def _from_ledger(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_id: uuid.UUID
) -> tuple[list[TimelineStep], uuid.UUID | None]:
    rows = await connection.execute(
        select(
            LedgerEntry.created_at,
            LedgerEntry.internal_date,
            LedgerEntry.historical,
            LedgerEntry.attempts,
            LedgerEntry.classification,
            LedgerEntry.classification_reason,
            LedgerEntry.threaded_by,
            LedgerEntry.fetch_run,
            LedgerEntry.ingest_run,
            LedgerEntry.ingested_at,
            LedgerEntry.gone_at,
            LedgerEntry.folder_id,
            Folder.name.label("folder"),
            Quarantine.first_at,
            Quarantine.resolved_at,
            Quarantine.reason.label("quarantine_reason"),
            Quarantine.resolution,
        )
        .outerjoin(
            Folder, and_(Folder.tenant_id == LedgerEntry.tenant_id, Folder.id == LedgerEntry.folder_id)
        )
        .outerjoin(
            Quarantine,
            and_(Quarantine.tenant_id == LedgerEntry.tenant_id, Quarantine.ledger_id == LedgerEntry.id),
        )
        .where(LedgerEntry.tenant_id == tenant_id, LedgerEntry.message_id == message_id)
        .order_by(LedgerEntry.id)
        .limit(20)
    )
    steps: list[TimelineStep] = []
    folder_id: uuid.UUID | None = None
    for r in rows:
        folder_id = folder_id or r.folder_id
        flow = "backfill" if r.historical else "sync"
        where = f"in {r.folder}" if r.folder else ""
        if r.internal_date is not None:
            steps.append(TimelineStep(r.internal_date, "received by the mail server", where))
        steps.append(TimelineStep(r.created_at, "stored", where, run=r.fetch_run, flow=flow))
        if r.first_at is not None:
            steps.append(TimelineStep(r.first_at, "quarantined", r.quarantine_reason, r.attempts))
        if r.resolved_at is not None:
            steps.append(TimelineStep(r.resolved_at, "quarantine resolved", r.resolution or ""))
        if r.ingested_at is not None:
            judged = f"{r.classification or 'message'}: {r.classification_reason or ''}".rstrip(": ")
            steps.append(TimelineStep(r.ingested_at, "read", judged, r.attempts, run=r.ingest_run, flow=flow))
            if r.threaded_by:
                steps.append(
                    TimelineStep(
                        r.ingested_at, "threaded", f"by {r.threaded_by}", run=r.ingest_run, flow=flow
                    )
                )
        if r.gone_at is not None:
            steps.append(TimelineStep(r.gone_at, "left the folder", where))
    return steps, folder_id


async def _reports(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_id: uuid.UUID
) -> list[TimelineStep]:
    rows = await connection.execute(
        select(
            DeliveryEvent.created_at,
            DeliveryEvent.status,
            DeliveryEvent.recipient,
            DeliveryEvent.bounce_class,
            DeliveryEvent.enhanced_code,
        )
        .where(DeliveryEvent.tenant_id == tenant_id, DeliveryEvent.message_id == message_id)
        .order_by(DeliveryEvent.id)
        .limit(MOST)
    )
    return [
        TimelineStep(
            r.created_at,
            f"report: {r.status}",
            " ".join(filter(None, (r.recipient, r.bounce_class, r.enhanced_code))),
        )
        for r in rows
    ]


async def _events(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_id: uuid.UUID, *, skip: tuple[str, ...]
) -> list[TimelineStep]:
    rows = await connection.execute(
        select(Event.created_at, Event.type, Event.actor)
        .where(Event.tenant_id == tenant_id, Event.message_id == message_id, Event.type.not_in(skip))
        .order_by(Event.xid, Event.id)
        .limit(MOST)
    )
    return [TimelineStep(r.created_at, r.type, actor=r.actor) for r in rows]
