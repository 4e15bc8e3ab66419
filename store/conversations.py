"""One conversation: its head, the people in it, weak matches, and the changes that agents make to it.

Every change bumps the version (a trigger does), writes its event in the same transaction, and repeats harmlessly.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from models import (
    Conversation,
    Domain,
    Inbox,
    Message,
    MessageRecipient,
    ThreadSuggestion,
)
from store.assignment import NoSuchWorker, place
from store.conversation_list import ConversationRow, rows_of
from store.event_log import NewEvent, append_events
from store.visibility import Viewer, may_see, seen_inboxes

MOST_PEOPLE = 50
ONE = "select id from conversations where tenant_id = :tenant and id = :id and deleted_at is null"
PEOPLE_FROM = 200  # messages that are read to find who takes part


class StaleVersion(Exception):
    """The conversation has changed since the caller looked; `current` is its version now."""

    def __init__(self, current: int) -> None:
        super().__init__("the conversation has changed")
        self.current = current


class NoSuchPerson(Exception):
    """The person to assign to is nobody who works in this inbox."""


@dataclass(frozen=True, slots=True)
class PersonInMail:
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    conversation_id: uuid.UUID
    number: int
    subject: str
    why: str


@dataclass(frozen=True, slots=True)
class SendingAddress:
    """From which address and under which name a reply leaves, and by which provider."""

    address: str
    name: str
    provider: str


async def get_conversation(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID
) -> ConversationRow | None:
    """The conversation as the viewer may see it, or None. A merged one names its survivor in `merged_into`."""
    bound: dict[str, Any] = {"tenant": viewer.tenant_id, "id": conversation_id}
    keys = ONE
    inboxes = await seen_inboxes(connection, viewer)
    if inboxes is not None:
        keys, bound["inboxes"] = f"{ONE} and inbox_id = any(:inboxes)", inboxes
    found = await rows_of(connection, keys, bound, "")
    return found[0] if found else None


async def people_of(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID
) -> list[PersonInMail]:
    """Who wrote or was addressed in the newest messages, each mailbox once, the newest name first."""
    newest = (
        select(Message.tenant_id, Message.id, Message.from_address, Message.from_name, Message.sent_at)
        .where(Message.tenant_id == viewer.tenant_id, Message.conversation_id == conversation_id)
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(PEOPLE_FROM)
        .subquery()
    )
    authors = select(
        newest.c.from_address.label("address"), newest.c.from_name.label("name"), newest.c.sent_at
    )
    addressed = (
        select(MessageRecipient.address, MessageRecipient.name, newest.c.sent_at)
        .join(
            newest,
            and_(
                newest.c.tenant_id == MessageRecipient.tenant_id, newest.c.id == MessageRecipient.message_id
            ),
        )
        .where(MessageRecipient.recipient_type != "bcc")
    )
    rows = (await connection.execute(authors.union_all(addressed))).all()
    found: dict[str, PersonInMail] = {}
    for row in sorted(rows, key=lambda r: r.sent_at, reverse=True):
        key = row.address.casefold()
        known = found.get(key)
        if row.address and (known is None or (not known.name and row.name)):
            found[key] = PersonInMail(row.name, row.address)
    return list(found.values())[:MOST_PEOPLE]


async def suggestions_of(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID
) -> list[Suggestion]:
    """Conversations that this one may belong to, and why; only such as the viewer may see."""
    other = aliased(Conversation)
    rows = await connection.execute(
        select(other.id, other.number, other.subject, ThreadSuggestion.why)
        .join(
            other, and_(other.tenant_id == ThreadSuggestion.tenant_id, other.id == ThreadSuggestion.other_id)
        )
        .where(
            ThreadSuggestion.tenant_id == viewer.tenant_id,
            ThreadSuggestion.conversation_id == conversation_id,
            other.deleted_at.is_(None),
            other.merged_into.is_(None),
            may_see(viewer, other.inbox_id),
        )
        .order_by(ThreadSuggestion.created_at)
        .limit(10)
    )
    return [Suggestion(r.id, r.number, r.subject, r.why) for r in rows]


async def sending_address(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID
) -> SendingAddress:
    row = (
        await connection.execute(
            select(Inbox.email_address, Inbox.display_name, Inbox.name, Inbox.provider, Domain.from_name)
            .outerjoin(Domain, and_(Domain.tenant_id == Inbox.tenant_id, Domain.id == Inbox.domain_id))
            .where(Inbox.tenant_id == tenant_id, Inbox.id == inbox_id)
        )
    ).one()
    return SendingAddress(row.email_address, row.display_name or row.from_name or row.name, row.provider)


async def change_conversation(
    connection: AsyncConnection,
    viewer: Viewer,
    conversation_id: uuid.UUID,
    changes: Mapping[str, Any],
    *,
    version: int | None = None,
    may_exceed: bool = False,
) -> bool:
    """Set `status`, `snoozed_until`, `assigned_to`, `category`, `priority` or `subject`; False when there is no such
    conversation. Whoever snoozes gives `status` and `snoozed_until`; any other status ends the sleep.

    Raises StaleVersion when `version` is given and not current, NoSuchPerson for an assignee who does not work in this inbox,
    AtCapacity unless `may_exceed`. Values that stand already change nothing and tell nobody.
    """
    row = (
        await connection.execute(
            select(
                Conversation.version,
                Conversation.status,
                Conversation.snoozed_until,
                Conversation.assigned_to,
                Conversation.category,
                Conversation.priority,
                Conversation.subject,
                Conversation.inbox_id,
            )
            .where(
                Conversation.tenant_id == viewer.tenant_id,
                Conversation.id == conversation_id,
                Conversation.deleted_at.is_(None),
                may_see(viewer, Conversation.inbox_id),
            )
            .with_for_update(of=Conversation, key_share=True)
        )
    ).first()
    if row is None:
        return False
    if version is not None and version != row.version:
        raise StaleVersion(row.version)
    new = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if "assigned_to" in new:
        try:
            await place(connection, viewer, conversation_id, user_id=new.pop("assigned_to"), may_exceed=may_exceed)
        except NoSuchWorker:
            raise NoSuchPerson from None
    if not new:
        return True
    values: dict[str, Any] = dict(new)
    if "status" in new:
        ended = new["status"] in ("closed", "archived", "trash")
        values["closed_at"] = func.coalesce(Conversation.closed_at, func.now()) if ended else None
        values.setdefault("snoozed_until", None)
    current = (
        await connection.execute(
            update(Conversation)
            .where(Conversation.tenant_id == viewer.tenant_id, Conversation.id == conversation_id)
            .values(**values)
            .returning(Conversation.version)
        )
    ).scalar_one()
    payload: dict[str, Any] = {"version": current, "changed": sorted(new)}
    payload |= {
        n: str(v) if v is not None else None
        for n, v in new.items()
        if n in ("status", "priority")
    }
    if new.get("snoozed_until") is not None:
        payload["snoozed_until"] = new["snoozed_until"].isoformat()
    await _tell(connection, viewer, conversation_id, row.inbox_id, payload)
    return True


async def mark_read(connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID) -> bool:
    """All inbound messages are read; False when there is no such conversation. Twice is once, with one event."""
    row = (
        await connection.execute(
            select(Conversation.inbox_id, Conversation.unread_count)
            .where(
                Conversation.tenant_id == viewer.tenant_id,
                Conversation.id == conversation_id,
                Conversation.deleted_at.is_(None),
                may_see(viewer, Conversation.inbox_id),
            )
            .with_for_update(of=Conversation, key_share=True)
        )
    ).first()
    if row is None:
        return False
    marked = await connection.execute(
        update(Message)
        .where(
            Message.tenant_id == viewer.tenant_id,
            Message.conversation_id == conversation_id,
            Message.direction == "inbound",
            Message.is_read.is_(False),
        )
        .values(is_read=True, read_at=func.now())
    )
    if marked.rowcount == 0 and row.unread_count == 0:
        return True
    current = (
        await connection.execute(
            update(Conversation)
            .where(Conversation.tenant_id == viewer.tenant_id, Conversation.id == conversation_id)
            .values(unread_count=0)
            .returning(Conversation.version)
        )
    ).scalar_one()
    await _tell(
        connection,
        viewer,
        conversation_id,
        row.inbox_id,
        {"version": current, "changed": ["unread_count"], "unread_count": 0},
    )
    return True


async def _tell(
    connection: AsyncConnection,
    viewer: Viewer,
    conversation_id: uuid.UUID,
    inbox_id: uuid.UUID,
    payload: Mapping[str, Any],
) -> None:
    await append_events(
        connection,
        [
            NewEvent(
                type="conversation.updated",
                tenant_id=viewer.tenant_id,
                inbox_id=inbox_id,
                conversation_id=conversation_id,
                actor=viewer.actor,
                payload=payload,
            )
        ],
    )
