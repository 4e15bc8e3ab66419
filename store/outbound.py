"""Queuing a reply: one transaction freezes its recipients, files and subject and makes the row that the send flow obeys.

The row is the outbox (integrity T-12): with Temporal away it waits here. What people may do with it afterwards is in
`store.outbound_decisions`, what the send flow does in `store.outbound_attempts`; both are offered from here too.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.html_text import html_to_text
from mail.outgoing_errors import HeaderInjection, refuse_injection
from mail.subjects import reply_subject, with_ticket_number
from models.enums import MessageKind, Provider, SendStatus
from store.addresses import address_key
from store.differences import Difference, differences, of_colleagues
from store.event_log import NewEvent, append_events
from store.outbound_decisions import cancel_message, resolve_message, retry_message, what_can_be_done
from store.outbound_files import attach_uploads
from store.outbound_recipients import (
    CannotSend,
    Recipient,
    check_recipients,
    default_recipients,
    refuse_suppressed,
)
from store.outbound_rows import lock_conversation
from store.send_steps import append_step

__all__ = [
    "CannotSend",
    "NewReply",
    "QueuedReply",
    "Recipient",
    "StaleView",
    "cancel_message",
    "default_recipients",
    "queue_reply",
    "resolve_message",
    "retry_message",
    "what_can_be_done",
]

SNIPPET = 200
LONGEST_SUBJECT = 998
LONGEST_BODY = 2 * 1024 * 1024
NEWER_SHOWN = 50
KEEPS_SUBJECTS = "gmail"

KNOWN_KEY = text(
    """
    select id, at_version, greatest(undo_until, scheduled_at) as leaves_at from messages
    where tenant_id = :tenant and idempotency_key = :key
    """
)
CONVERSATION = text(
    """
    select c.number, c.subject, c.version, c.inbox_id, i.provider, i.email_address, i.name, i.undo_send_seconds,
           i.deleted_at,
           coalesce(nullif(i.display_name, ''), d.from_name, '') as display_name
    from conversations c join inboxes i on i.tenant_id = c.tenant_id and i.id = c.inbox_id
    left join domains d on d.tenant_id = i.tenant_id and d.id = i.domain_id
    where c.tenant_id = :tenant and c.id = :id
    """
)
# What the agent cannot have seen: mail that came in, and answers of other people that were not taken back.
NEWER = text(
    """
    select id from messages
    where tenant_id = :tenant and conversation_id = :conversation and at_version > :seen and kind = 'message'
      and (direction = 'inbound' or (author_id is distinct from :author and send_status is distinct from 'cancelled'))
    order by at_version desc, id desc limit :limit
    """
)
TOUCH_CONVERSATION = text(
    """
    update conversations set message_count = message_count + 1, agent_message_count = agent_message_count + 1,
      snippet = :snippet, last_message_at = :now, last_message_direction = 'outbound'
    where tenant_id = :tenant and id = :id returning version
    """
)
INSERT_MESSAGE = text(
    """
    insert into messages (tenant_id, conversation_id, inbox_id, direction, kind, sender_type, sender_id, author_id,
      from_address, from_name, subject, sent_at, received_at, body_text, body_html, body_visible, is_read, at_version,
      send_status, undo_until, scheduled_at, idempotency_key)
    values (:tenant, :conversation, :inbox, 'outbound', :kind, :sender_type, :author, :author,
      :from_address, :from_name, :subject, :now, :now, :body_text, :body_html, :body_text, true, :version,
      :status, :undo_until, :scheduled_at, :key)
    returning id
    """
)
INSERT_RECIPIENT = text(
    """
    insert into message_recipients
      (tenant_id, message_id, recipient_type, position, address, address_key, name, delivery_status)
    values (:tenant, :message, :type, :position, :address, :key, :name, 'pending')
    """
)


@dataclass(frozen=True, slots=True)
class NewReply:
    """What an agent sends. No `recipients`: those of `default_recipients`. No `subject`: `Re:` of the conversation's.
    Either `text` or `html`; an uploaded picture becomes inline where the HTML shows `cid:<upload id>`.
    `seen_version` None skips the check for newer messages (imports and programs that cannot see).
    """

    conversation_id: uuid.UUID
    author_id: uuid.UUID | None
    recipients: tuple[Recipient, ...] = ()
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    upload_ids: tuple[uuid.UUID, ...] = ()
    seen_version: int | None = None
    send_at: dt.datetime | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class QueuedReply:
    """`version` is the conversation's after this message; `leaves_at` the earliest instant at which it is submitted."""

    message_id: uuid.UUID
    version: int
    leaves_at: dt.datetime


class StaleView(Exception):
    """The conversation holds what the agent has not seen: newer messages, or what colleagues noted, took over or decided since.
    `newer_message_ids` are at most fifty, newest first; `changes` is all that is new, oldest first.
    """

    def __init__(self, current_version: int, newer_message_ids: tuple[uuid.UUID, ...], changes: Sequence[Difference]) -> None:
        super().__init__("the conversation has moved on since the reply's author looked; look again, then send")
        self.current_version = current_version
        self.newer_message_ids = newer_message_ids
        self.changes = changes


async def queue_reply(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, reply: NewReply, now: dt.datetime
) -> QueuedReply:
    """Make the message row with everything it needs, `queued` or `scheduled`, and its events.

    Raises StaleView, or CannotSend with the field and the remedy. The same idempotency key again answers with the
    first message and writes nothing. An address on the suppression list is refused in an inbox that sends through SES
    only: elsewhere an agent who writes to it decides so. If the caller's transaction dies, nothing was queued.
    """
    conversation_id = await lock_conversation(connection, tenant_id, reply.conversation_id)
    if conversation_id is None:
        raise CannotSend("conversation_id", "this conversation no longer exists")
    if reply.idempotency_key is not None:
        known = await connection.execute(KNOWN_KEY, {"tenant": tenant_id, "key": reply.idempotency_key})
        if (row := known.first()) is not None:
            return QueuedReply(row.id, row.at_version, row.leaves_at)
    desk = (
        (await connection.execute(CONVERSATION, {"tenant": tenant_id, "id": conversation_id}))
        .mappings()
        .one()
    )
    if desk["deleted_at"] is not None:
        raise CannotSend(
            "conversation_id", "the inbox of this conversation was deleted; answer from another one"
        )
    await _refuse_stale(connection, tenant_id, reply, conversation_id, desk["version"])
    content = _content(reply)
    subject = _subject(reply, desk)
    chosen = reply.recipients or await default_recipients(
        connection, tenant_id=tenant_id, conversation_id=conversation_id
    )
    recipients = check_recipients(chosen)
    if desk["provider"] == Provider.SES:
        await refuse_suppressed(connection, tenant_id, recipients, now)

    undo_until = now + dt.timedelta(seconds=desk["undo_send_seconds"])
    scheduled_at = reply.send_at if reply.send_at is not None and reply.send_at > undo_until else None
    status = SendStatus.SCHEDULED if scheduled_at else SendStatus.QUEUED
    touched = await connection.execute(
        TOUCH_CONVERSATION,
        {
            "snippet": " ".join(content.split())[:SNIPPET],
            "now": now,
            "tenant": tenant_id,
            "id": conversation_id,
        },
    )
    version = int(touched.scalar_one())
    inserted = await connection.execute(
        INSERT_MESSAGE,
        {
            "tenant": tenant_id,
            "conversation": conversation_id,
            "inbox": desk["inbox_id"],
            "kind": MessageKind.MESSAGE.value,
            "sender_type": "agent",
            "author": reply.author_id,
            "from_address": desk["email_address"],
            "from_name": desk["display_name"] or desk["name"],
            "subject": subject,
            "now": now,
            "body_text": content,
            "body_html": reply.html,
            "version": version,
            "status": status.value,
            "undo_until": undo_until,
            "scheduled_at": scheduled_at,
            "key": reply.idempotency_key,
        },
    )
    message_id: uuid.UUID = inserted.scalar_one()
    await freeze_recipients(connection, tenant_id, message_id, recipients)
    await attach_uploads(
        connection,
        tenant_id=tenant_id,
        message_id=message_id,
        upload_ids=reply.upload_ids,
        html=reply.html or "",
        other_bytes=len(content.encode("utf-8", "replace"))
        + len((reply.html or "").encode("utf-8", "replace")),
    )
    actor = f"user:{reply.author_id}" if reply.author_id else "system"
    about = {
        "tenant_id": tenant_id,
        "inbox_id": desk["inbox_id"],
        "conversation_id": conversation_id,
        "actor": actor,
    }
    await append_events(
        connection,
        [
            NewEvent(
                type="message.queued",
                message_id=message_id,
                payload={"send_status": status.value, "kind": "message", "version": version},
                **about,
            ),
            NewEvent(type="conversation.updated", payload={"version": version}, **about),
        ],
    )
    leaves_at = scheduled_at or undo_until
    await append_step(
        connection, tenant_id=tenant_id, message_id=message_id, step=status.value, next_at=leaves_at
    )
    return QueuedReply(message_id, version, leaves_at)


async def freeze_recipients(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    recipients: tuple[Recipient, ...],
) -> None:
    """Write the recipients of a message, once and for all."""
    await connection.execute(
        INSERT_RECIPIENT,
        [
            {
                "tenant": tenant_id,
                "message": message_id,
                "type": r.type,
                "position": position,
                "address": r.address,
                "key": address_key(r.address),
                "name": r.name,
            }
            for position, r in enumerate(recipients)
        ],
    )


async def _refuse_stale(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    reply: NewReply,
    conversation_id: uuid.UUID,
    current: int,
) -> None:
    """A version belongs to its conversation: after a merge, nothing of the surviving one counts as seen."""
    if reply.seen_version is None:
        return
    seen = reply.seen_version if conversation_id == reply.conversation_id else -1
    rows = await connection.execute(
        NEWER,
        {
            "tenant": tenant_id,
            "conversation": conversation_id,
            "seen": seen,
            "author": reply.author_id,
            "limit": NEWER_SHOWN,
        },
    )
    newer = tuple(row.id for row in rows)
    changes = await differences(connection, tenant_id, conversation_id, seen) if current > seen else []
    if newer or conversation_id != reply.conversation_id or of_colleagues(changes, reply.author_id):
        raise StaleView(current, newer, changes)


def _content(reply: NewReply) -> str:
    """The plain text of the reply; made from the HTML where only that was given."""
    for field, value in (("text", reply.text), ("html", reply.html)):
        if value is not None and len(value.encode("utf-8", "replace")) > LONGEST_BODY:
            raise CannotSend(field, "is longer than 2 MB; send the rest as a file")
        if value is not None and "\0" in value:
            raise CannotSend(field, "holds a NUL character; remove it")
    content = reply.text if reply.text is not None else html_to_text(reply.html or "")
    pictures = reply.html is not None and "<img" in reply.html.lower()
    if not content.strip() and not reply.upload_ids and not pictures:
        raise CannotSend("text", "is empty; write something or attach a file")
    return content


def _subject(reply: NewReply, desk: RowMapping) -> str:
    try:
        given = refuse_injection("subject", reply.subject or "")
    except HeaderInjection as wrong:
        raise CannotSend(wrong.field, wrong.remedy) from None
    if len(given) > LONGEST_SUBJECT:
        raise CannotSend("subject", f"is longer than {LONGEST_SUBJECT} characters; shorten it")
    if given.strip():
        return given if desk["provider"] == KEEPS_SUBJECTS else with_ticket_number(given, desk["number"])
    return default_subject(desk["subject"], desk["number"], desk["provider"])


def default_subject(subject: str, number: int, provider: str) -> str:
    """That of the conversation, with its number behind it. Without at Gmail, which keeps an answer in its thread only while the
    subject stays the same (Gmail API, "Managing threads"); References lead the customer's answer back there.
    """
    return reply_subject(subject, None if provider == KEEPS_SUBJECTS else number)
