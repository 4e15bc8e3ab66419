"""Everything that happened to one message, in order: seen, stored, read and judged; or queued, tried and settled; and what
its events tell. Nothing is written for it: it is read from rows that each step leaves anyway.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Event, Message
from store.timeline_inbound import inbound_steps
from store.timeline_outbound import outbound_steps
from store.timeline_rules import rule_steps
from store.timeline_steps import MOST, StepKind, TimelineStep
from store.timeline_webhooks import webhook_steps
from store.visibility import Viewer, may_see

# Told by the ledger or the send steps already, in more detail.
TOLD_BETTER = (
    "message.queued",
    "message.sent",
    "message.failed",
    "message.unknown",
    "message.cancelled",
    "message.bounced",
)
# Where a mail lies, as what was done to it.
PLACES = {
    "inbox": "moved to the inbox",
    "archive": "archived",
    "junk": "moved to spam",
    "trash": "moved to the bin",
}
REFUSALS = {
    "no_folder": "the mailbox has no folder for it",
    "no_safe_move": "the mail server has neither MOVE nor UIDPLUS",
    "no_keywords": "the folder keeps no such keyword",
}


@dataclass(frozen=True, slots=True)
class Timeline:
    inbox_id: uuid.UUID
    steps: tuple[TimelineStep, ...]


async def read_timeline(
    connection: AsyncConnection, viewer: Viewer, message_id: uuid.UUID
) -> Timeline | None:
    """The steps, oldest first, or None for a message that the viewer may not see. Each source gives at most 500."""
    asked = select(
        Message.inbox_id,
        Message.conversation_id,
        Message.classification,
        Message.silence_reason,
        Message.historical,
    ).where(
        Message.tenant_id == viewer.tenant_id, Message.id == message_id, may_see(viewer, Message.inbox_id)
    )
    place = (await connection.execute(asked)).first()
    if place is None:
        return None
    inbound = await inbound_steps(
        connection,
        tenant_id=viewer.tenant_id,
        message_id=message_id,
        conversation_id=place.conversation_id,
        classification=place.classification,
        silence=None if place.historical else place.silence_reason,
    )
    outbound = await outbound_steps(connection, tenant_id=viewer.tenant_id, message_id=message_id)
    ruled = await rule_steps(connection, tenant_id=viewer.tenant_id, message_id=message_id)
    hooked = await webhook_steps(connection, tenant_id=viewer.tenant_id, message_id=message_id)
    skip = TOLD_BETTER if any(s.kind is StepKind.SEND for s in outbound) else ()
    events = await _events(connection, viewer.tenant_id, message_id, skip=skip)
    # Stable: what one transaction wrote keeps the order in which its source tells it.
    return Timeline(place.inbox_id, tuple(sorted([*inbound, *ruled, *outbound, *hooked, *events], key=lambda s: s.at)))


async def _events(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_id: uuid.UUID, *, skip: tuple[str, ...]
) -> list[TimelineStep]:
    rows = await connection.execute(
        select(Event.created_at, Event.type, Event.actor, Event.payload)
        .where(Event.tenant_id == tenant_id, Event.message_id == message_id, Event.type.not_in(skip))
        .order_by(Event.xid, Event.id)
        .limit(MOST)
    )
    return [_event(r.created_at, r.type, r.actor, r.payload) for r in rows]


def _event(at: dt.datetime, kind: str, actor: str, payload: dict[str, Any]) -> TimelineStep:
    """A re-ingest is no change in the mailbox: it is told by its own name, with what differed."""
    if payload.get("what") == "reingested":
        differed = ", ".join(payload.get("kinds", ()))
        return TimelineStep(at, "read again", StepKind.EVENT, differed, actor=actor)
    if payload.get("what") == "write_back":
        step, detail = _written_back(payload)
        return TimelineStep(at, step, StepKind.EVENT, detail, actor=actor)
    return TimelineStep(at, kind, StepKind.EVENT, actor=actor)


def _written_back(payload: dict[str, Any]) -> tuple[str, str]:
    """What became of a choice that the mailbox was to show too: the step and its detail."""
    state, reason = payload.get("state", ""), payload.get("reason", "")
    place = PLACES.get(payload.get("wanted", ""), "moved")
    whys = {
        "superseded": "it was marked as unread in another program since",
        "conflict": f"in another program it was {PLACES.get(reason, 'moved to another folder')} since; that stays",
        "refused": REFUSALS.get(reason, "the mail server does not allow it"),
    }
    if payload.get("kind") == "place":
        return (f"{place} at the server", "") if state == "done" else (f"not {place} at the server", whys.get(state, ""))
    if payload.get("kind") == "label":
        return "label not changed at the server", whys.get(state, "")
    return "not marked as read at the server", whys.get(state, "")
