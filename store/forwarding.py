"""Passing a message on: a new outbound mail in a conversation of its own, with whoever gets it.

Not into the customer's conversation: what the other side answers would stand among the customer's mails there, and the next reply
would go to whoever wrote last. So the mail names no mail of the customer's thread, answers come to the new conversation, and the two
show each other by `forward_of`. The conversation is closed until somebody answers: passing on leaves nothing to do.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.outgoing_errors import HeaderInjection, refuse_injection
from mail.subjects import normalise_subject, with_ticket_number
from models.enums import MessageKind, SendStatus
from store.addresses import address_key
from store.bulk import new_id
from store.contacts import ensure_contacts
from store.event_log import NewEvent, append_events
from store.outbound import CONVERSATION, INSERT_MESSAGE, KEEPS_SUBJECTS, SNIPPET, freeze_recipients
from store.outbound_files import FILE_BYTES, FILES, MESSAGE_BYTES
from store.outbound_recipients import CannotSend, Recipient, check_recipients, refuse_suppressed
from store.outbound_rows import lock_conversation
from store.placing import TAKE_NUMBERS
from store.send_steps import append_step
from store.visibility import Viewer

SOURCE = text("select conversation_id from messages where tenant_id = :tenant and id = :id")
BEGIN = text(
    """
    insert into conversations (tenant_id, id, number, contact_id, inbox_id, customer_identifier, customer_name, subject,
      normalized_subject, snippet, status, closed_at, message_count, agent_message_count, last_message_at,
      last_message_direction, created_at)
    values (:tenant, :id, :number, :contact, :inbox, :address, :name, :subject, :normalized, :snippet, 'closed', :now, 1, 1, :now,
      'outbound', :now)
    """
)
FORWARD_OF = text("update messages set forward_of = :source where tenant_id = :tenant and id = :id")
FILES_OF = text(
    """
    select id, filename, size_bytes from attachments
    where tenant_id = :tenant and message_id = :source and id = any(cast(:ids as uuid[]))
    """
)
# The object stays one; what lies in the source's mail alone was made an object before.
COPY_FILE = text(
    """
    insert into attachments (tenant_id, message_id, position, filename, content_type, size_bytes, sha256, storage_key,
      content_id_header, disposition, stored_at)
    select tenant_id, :message, position, filename, content_type, size_bytes, sha256, storage_key, :content_id,
      case when cast(:content_id as text) is null then 'attachment' else 'inline' end, coalesce(stored_at, now())
    from attachments where tenant_id = :tenant and id = :id
    """
)


@dataclass(frozen=True, slots=True)
class FileToForward:
    """`content_id` is the new one of a picture that the HTML shows."""

    attachment_id: uuid.UUID
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewForward:
    """`subject` without number; `text` and `html` are the whole message, note and quotation."""

    conversation_id: uuid.UUID
    message_id: uuid.UUID
    recipients: tuple[Recipient, ...]
    subject: str
    text: str
    html: str | None
    files: tuple[FileToForward, ...] = ()


@dataclass(frozen=True, slots=True)
class QueuedForward:
    message_id: uuid.UUID
    conversation_id: uuid.UUID
    inbox_id: uuid.UUID


async def queue_forward(
    connection: AsyncConnection, viewer: Viewer, forward: NewForward, *, now: dt.datetime
) -> QueuedForward | None:
    """Make the conversation and its queued message with events; None when the message does not stand in this conversation.

    The caller has found that the viewer may see both. Raises CannotSend, also for a suppressed address: the agent writes to
    somebody who did not write. If the caller's transaction dies, nothing was queued.
    """
    tenant_id = viewer.tenant_id
    source_id = await lock_conversation(connection, tenant_id, forward.conversation_id)
    if source_id is None:
        return None
    stands = (await connection.execute(SOURCE, {"tenant": tenant_id, "id": forward.message_id})).scalar_one_or_none()
    if stands != source_id:
        return None
    desk = (await connection.execute(CONVERSATION, {"tenant": tenant_id, "id": source_id})).mappings().one()
    if desk["deleted_at"] is not None:
        raise CannotSend("conversation_id", "the inbox of this conversation was deleted; forward from another one")
    recipients = check_recipients(forward.recipients)
    await refuse_suppressed(connection, tenant_id, recipients, now)
    first = recipients[0]
    key = address_key(first.address)
    contacts = await ensure_contacts(connection, tenant_id, {key: (first.address, first.name)})
    number = int((await connection.execute(TAKE_NUMBERS, {"tenant": tenant_id, "count": 1})).scalar_one())
    try:
        subject = refuse_injection("subject", forward.subject)
    except HeaderInjection as wrong:
        raise CannotSend(wrong.field, wrong.remedy) from None
    new, place = new_id(), {"tenant": tenant_id, "inbox": desk["inbox_id"], "now": now}
    await connection.execute(
        BEGIN,
        {
            **place,
            "id": new,
            "number": number,
            "contact": contacts.get(key),
            "address": first.address,
            "name": first.name,
            "subject": subject,
            "normalized": normalise_subject(subject),
            "snippet": " ".join(forward.text.split())[:SNIPPET],
        },
    )
    undo_until = now + dt.timedelta(seconds=desk["undo_send_seconds"])
    inserted = await connection.execute(
        INSERT_MESSAGE,
        {
            **place,
            "conversation": new,
            "kind": MessageKind.MESSAGE.value,
            "sender_type": "agent",
            "author": viewer.user_id,
            "from_address": desk["email_address"],
            "from_name": desk["display_name"] or desk["name"],
            "subject": subject if desk["provider"] == KEEPS_SUBJECTS else with_ticket_number(subject, number),
            "body_text": forward.text,
            "body_html": forward.html,
            "version": 1,
            "status": SendStatus.QUEUED.value,
            "undo_until": undo_until,
            "scheduled_at": None,
            "key": None,
        },
    )
    message_id: uuid.UUID = inserted.scalar_one()
    await connection.execute(FORWARD_OF, {"tenant": tenant_id, "id": message_id, "source": forward.message_id})
    await freeze_recipients(connection, tenant_id, message_id, recipients)
    await _copy_files(connection, tenant_id, message_id, forward)
    await _tell(connection, viewer, forward, QueuedForward(message_id, new, desk["inbox_id"]), source_id)
    await append_step(connection, tenant_id=tenant_id, message_id=message_id, step="queued", next_at=undo_until)
    return QueuedForward(message_id, new, desk["inbox_id"])


async def _copy_files(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_id: uuid.UUID, forward: NewForward
) -> None:
    if not forward.files:
        return
    ids = [f.attachment_id for f in forward.files]
    bound = {"tenant": tenant_id, "source": forward.message_id, "ids": ids}
    found = (await connection.execute(FILES_OF, bound)).all()
    if len(found) < len(set(ids)):
        raise CannotSend("attachments", "names a file that is not of this message; look again")
    if sum(f.content_id is None for f in forward.files) > FILES:
        raise CannotSend("attachments", f"has more than {FILES} files; forward without them and share a link")
    _refuse_large(found, len(forward.text.encode()) + len((forward.html or "").encode()))
    for file in forward.files:
        await connection.execute(
            COPY_FILE,
            {
                "tenant": tenant_id,
                "message": message_id,
                "id": file.attachment_id,
                "content_id": file.content_id,
            },
        )


def _refuse_large(files: Sequence[object], other_bytes: int) -> None:
    sizes = [int(getattr(f, "size_bytes", 0)) for f in files]
    if any(size > FILE_BYTES for size in sizes):
        raise CannotSend("attachments", "holds a file larger than 25 MB; forward without files and share a link")
    if sum(sizes) + other_bytes > MESSAGE_BYTES:
        raise CannotSend("attachments", "make the message larger than 25 MB; forward without them and share a link")


async def _tell(
    connection: AsyncConnection, viewer: Viewer, forward: NewForward, made: QueuedForward, source_id: uuid.UUID
) -> None:
    tenant_id, inbox_id, actor = viewer.tenant_id, made.inbox_id, viewer.actor
    begun = {"version": 1, "forwarded_from": str(source_id)}
    queued = {"send_status": SendStatus.QUEUED.value, "kind": "message", "version": 1}
    passed = {"into": str(made.conversation_id), "forward": str(made.message_id)}
    await append_events(
        connection,
        [
            NewEvent("conversation.created", tenant_id, inbox_id, made.conversation_id, actor=actor, payload=begun),
            NewEvent(
                "message.queued", tenant_id, inbox_id, made.conversation_id, made.message_id, actor=actor, payload=queued
            ),
            NewEvent(
                "message.forwarded", tenant_id, inbox_id, source_id, forward.message_id, actor=actor, payload=passed
            ),
        ],
    )
