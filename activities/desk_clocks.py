"""Reactor: starts, pauses and ends the clocks of service levels by what happens in conversations.

It takes the instants of the events themselves and works each conversation out from its facts, so a desk that reads late comes
to the same clocks. Historical mail has no events and starts none.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.clock_work import settings_of, work_on
from contracts.desk import Followup, FollowupKind
from store.event_log import LoggedEvent
from store.sla_facts import database_now, keep_statuses, next_instant, running_of_contacts, used

AT_ONCE = 200  # conversations that are worked out with one set of statements
LOOKED_AT = frozenset({"priority", "tags", "inbox_id", "inbox", "contact_id", "contact", "status"})
SENDS = frozenset({"message.queued", "message.sent", "message.failed", "message.cancelled", "message.unknown"})
SHAPES = frozenset({"conversation.merged", "conversation.unmerged", "conversation.split"})


@dataclass(slots=True)
class _Touched:
    """Conversations to work out, those between which mails moved, contacts that changed, and statuses to note."""

    conversations: dict[uuid.UUID, None] = field(default_factory=dict)
    kin: dict[uuid.UUID, None] = field(default_factory=dict)
    contacts: dict[uuid.UUID, None] = field(default_factory=dict)
    statuses: dict[tuple[uuid.UUID, dt.datetime], str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.conversations or self.kin or self.contacts)


class DeskClocks:
    """A batch that touches nothing of its concern costs nothing; a tenant that measures nothing, one look."""

    name = "clocks"

    async def react(
        self, connection: AsyncConnection, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]
    ) -> Sequence[Followup]:
        touched = _Touched()
        for event in events:
            _touch(touched, event)
        if not touched or not await used(connection, tenant_id):
            return ()
        await keep_statuses(connection, tenant_id, touched.statuses)
        contacts = await running_of_contacts(connection, tenant_id, list(touched.contacts)) if touched.contacts else []
        now, settings = await database_now(connection), await settings_of(connection, tenant_id)
        awaited = await next_instant(connection, tenant_id)
        ids = [i for i in (*touched.conversations, *contacts) if i not in touched.kin]
        earliest: list[dt.datetime] = []
        for n in range(0, len(ids), AT_ONCE):
            worked = await work_on(connection, tenant_id, ids[n : n + AT_ONCE], settings, now=now)
            earliest += [worked.earliest] if worked.earliest else []
        if touched.kin:
            worked = await work_on(connection, tenant_id, (), settings, now=now, kin=list(touched.kin), reconcile=True)
            earliest += [worked.earliest] if worked.earliest else []
        # The timer sleeps until what was next; it is woken only for something earlier.
        if earliest and (awaited is None or min(earliest) < awaited):
            return (Followup(FollowupKind.SLA, str(tenant_id)),)
        return ()


def _touch(touched: _Touched, event: LoggedEvent) -> None:
    payload = event.payload
    if event.type.startswith("contact.") and (contact := _id(payload, "contact_id")) is not None:
        touched.contacts[contact] = None
    conversation = event.conversation_id
    if conversation is None:
        return
    if event.type in SHAPES:
        others = [_id(payload, name) for name in payload]
        touched.kin |= dict.fromkeys([conversation, *(o for o in others if o is not None)])
    elif event.type == "conversation.updated":
        status = payload.get("status")
        if isinstance(status, str):
            touched.statuses[conversation, event.at] = status
        if isinstance(status, str) or LOOKED_AT & set(payload.get("changed") or ()):
            touched.conversations[conversation] = None
    elif event.type == "message.received":
        if not payload.get("quiet"):
            touched.conversations[conversation] = None
    elif payload.get("kind", "message") == "message" and (
        event.type in SENDS or (event.type == "message.updated" and payload.get("send_status") == "queued")
    ):
        touched.conversations[conversation] = None


def _id(payload: Mapping[str, object], name: str) -> uuid.UUID | None:
    value = payload.get(name)
    try:
        return uuid.UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
