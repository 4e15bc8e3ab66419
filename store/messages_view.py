"""Messages as people read them: a page of a conversation with recipients, references and files in a handful of statements,
however many messages it has.
"""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from models import (
    Attachment,
    LedgerEntry,
    Message,
    MessageRecipient,
    MessageReference,
    Quarantine,
    User,
)
from store.pages import Page, read_time_cursor, time_cursor
from store.visibility import Viewer, may_see


@dataclass(frozen=True, slots=True)
class RecipientRow:
    type: str
    address: str
    name: str
    status: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class FileRow:
    """`storage_key` says where the bytes lie, once they are an object of their own; it never leaves the server."""

    id: uuid.UUID
    message_id: uuid.UUID
    filename: str
    content_type: str
    size_bytes: int
    disposition: str
    content_id: str | None
    storage_key: str


@dataclass(frozen=True, slots=True)
class QuarantineNote:
    id: uuid.UUID
    reason: str


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message without its HTML, which only the frame needs."""

    id: uuid.UUID
    conversation_id: uuid.UUID | None
    inbox_id: uuid.UUID
    direction: str
    kind: str
    classification: str | None
    sender_type: str
    author_id: uuid.UUID | None
    author_name: str | None
    from_address: str
    from_name: str
    subject: str
    message_id_header: str | None
    in_reply_to: str | None
    sent_at: dt.datetime
    received_at: dt.datetime
    created_at: dt.datetime
    is_read: bool
    is_auto: str | None
    body_text: str
    body_visible: str
    has_html: bool
    flags: list[str]
    defects: list[str]
    duplicate_of_id: bool
    bounce_received_at: dt.datetime | None
    send_status: str | None
    send_stage: str | None
    send_error: str | None
    send_attempts: int
    undo_until: dt.datetime | None
    scheduled_at: dt.datetime | None
    recipients: tuple[RecipientRow, ...] = ()
    references: tuple[str, ...] = ()
    files: tuple[FileRow, ...] = ()
    quarantine: QuarantineNote | None = None


@dataclass(frozen=True, slots=True)
class MessageHtml:
    """What the frame shows: HTML where the mail has any, else its text; and the pictures that belong to it."""

    html: str | None
    text: str
    pictures: tuple[FileRow, ...]


@dataclass(frozen=True, slots=True)
class RawPlace:
    """Where the bytes of a mail lie; `length` 0 means the whole object."""

    key: str
    offset: int
    length: int


COLUMNS: tuple[Any, ...] = (
    Message.id,
    Message.conversation_id,
    Message.inbox_id,
    Message.direction,
    Message.kind,
    Message.classification,
    Message.sender_type,
    Message.author_id,
    User.name.label("author_name"),
    Message.from_address,
    Message.from_name,
    Message.subject,
    Message.message_id_header,
    Message.in_reply_to,
    Message.sent_at,
    Message.received_at,
    Message.created_at,
    Message.is_read,
    Message.is_auto,
    Message.body_text,
    Message.body_visible,
    Message.body_html.is_not(None).label("has_html"),
    Message.flags,
    Message.defects,
    Message.duplicate_of_id,
    Message.bounce_received_at,
    Message.send_status,
    Message.send_stage,
    Message.send_error,
    Message.send_attempts,
    Message.undo_until,
    Message.scheduled_at,
)
FILES = (
    Attachment.id,
    Attachment.message_id,
    Attachment.filename,
    Attachment.content_type,
    Attachment.size_bytes,
    Attachment.disposition,
    Attachment.content_id_header.label("content_id"),
    Attachment.storage_key,
)


async def list_messages(
    connection: AsyncConnection,
    viewer: Viewer,
    conversation_id: uuid.UUID,
    *,
    after: str | None,
    limit: int,
) -> Page[MessageRow]:
    """A page of a conversation, oldest first. The caller has checked that the viewer may see it. Raises BadCursor."""
    conditions: list[ColumnElement[bool]] = [Message.conversation_id == conversation_id]
    if after is not None:
        at, row_id = read_time_cursor(after)
        conditions.append(tuple_(Message.sent_at, Message.id) > tuple_(literal(at), literal(row_id)))
    rows = await _rows(connection, viewer, conditions, limit + 1)
    items = await _whole(connection, viewer.tenant_id, rows[:limit])
    following = time_cursor(items[-1].sent_at, items[-1].id) if len(rows) > limit else None
    return Page(items, following)


async def get_messages(
    connection: AsyncConnection, viewer: Viewer, message_ids: Sequence[uuid.UUID]
) -> list[MessageRow]:
    """Those of these messages that the viewer may see, oldest first."""
    rows = await _rows(connection, viewer, [Message.id.in_(message_ids)], len(message_ids))
    return await _whole(connection, viewer.tenant_id, rows)


async def get_message(
    connection: AsyncConnection, viewer: Viewer, message_id: uuid.UUID
) -> MessageRow | None:
    found = await get_messages(connection, viewer, [message_id])
    return found[0] if found else None


async def html_of(connection: AsyncConnection, viewer: Viewer, message_id: uuid.UUID) -> MessageHtml | None:
    """Not sanitised: it must pass `mail.sanitise` before anybody sees it."""
    row = (
        await connection.execute(
            select(Message.body_html, Message.body_text).where(
                Message.tenant_id == viewer.tenant_id,
                Message.id == message_id,
                may_see(viewer, Message.inbox_id),
            )
        )
    ).first()
    if row is None:
        return None
    files = await _files(connection, viewer.tenant_id, [message_id])
    pictures = tuple(f for f in files.get(message_id, ()) if f.content_id)
    return MessageHtml(row.body_html, row.body_text, pictures)


async def raw_of(connection: AsyncConnection, viewer: Viewer, message_id: uuid.UUID) -> RawPlace | None:
    """Where the raw mail lies; None for an unknown message and for one that has no bytes yet."""
    row = (
        await connection.execute(
            select(Message.raw_key, Message.raw_offset, Message.raw_length).where(
                Message.tenant_id == viewer.tenant_id,
                Message.id == message_id,
                Message.raw_key.is_not(None),
                may_see(viewer, Message.inbox_id),
            )
        )
    ).first()
    return RawPlace(row.raw_key, row.raw_offset, row.raw_length) if row else None


async def get_file(connection: AsyncConnection, viewer: Viewer, attachment_id: uuid.UUID) -> FileRow | None:
    """A file of a message that the viewer may see."""
    row = (
        await connection.execute(
            select(*FILES)
            .join(
                Message, and_(Message.tenant_id == Attachment.tenant_id, Message.id == Attachment.message_id)
            )
            .where(
                Attachment.tenant_id == viewer.tenant_id,
                Attachment.id == attachment_id,
                may_see(viewer, Message.inbox_id),
            )
        )
    ).first()
    return FileRow(**row._asdict()) if row else None


async def _rows(
    connection: AsyncConnection, viewer: Viewer, conditions: Sequence[ColumnElement[bool]], limit: int
) -> list[Any]:
    statement = (
        select(*COLUMNS)
        .outerjoin(User, and_(User.tenant_id == Message.tenant_id, User.id == Message.author_id))
        .where(Message.tenant_id == viewer.tenant_id, may_see(viewer, Message.inbox_id), *conditions)
        .order_by(Message.sent_at, Message.id)
        .limit(limit)
    )
    return list((await connection.execute(statement)).all())


async def _whole(connection: AsyncConnection, tenant_id: uuid.UUID, rows: Sequence[Any]) -> list[MessageRow]:
    ids = [r.id for r in rows]
    if not ids:
        return []
    recipients = await _recipients(connection, tenant_id, ids)
    references = await _references(connection, tenant_id, ids)
    files = await _files(connection, tenant_id, ids)
    notes = await _quarantine(connection, tenant_id, ids)
    return [
        MessageRow(
            **r._asdict(),
            recipients=tuple(recipients.get(r.id, ())),
            references=tuple(references.get(r.id, ())),
            files=tuple(files.get(r.id, ())),
            quarantine=notes.get(r.id),
        )
        for r in rows
    ]


async def _recipients(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, list[RecipientRow]]:
    rows = await connection.execute(
        select(
            MessageRecipient.message_id,
            MessageRecipient.recipient_type,
            MessageRecipient.address,
            MessageRecipient.name,
            MessageRecipient.delivery_status,
            MessageRecipient.delivery_detail,
        )
        .where(MessageRecipient.tenant_id == tenant_id, MessageRecipient.message_id.in_(ids))
        .order_by(MessageRecipient.message_id, MessageRecipient.position)
    )
    found: dict[uuid.UUID, list[RecipientRow]] = defaultdict(list)
    for r in rows:
        found[r.message_id].append(
            RecipientRow(r.recipient_type, r.address, r.name, r.delivery_status, r.delivery_detail)
        )
    return found


async def _references(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, list[str]]:
    rows = await connection.execute(
        select(MessageReference.message_id, MessageReference.referenced_id)
        .where(MessageReference.tenant_id == tenant_id, MessageReference.message_id.in_(ids))
        .order_by(MessageReference.message_id, MessageReference.position)
    )
    found: dict[uuid.UUID, list[str]] = defaultdict(list)
    for r in rows:
        found[r.message_id].append(r.referenced_id)
    return found


async def _files(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, list[FileRow]]:
    rows = await connection.execute(
        select(*FILES)
        .where(Attachment.tenant_id == tenant_id, Attachment.message_id.in_(ids))
        .order_by(Attachment.message_id, Attachment.position, Attachment.id)
    )
    found: dict[uuid.UUID, list[FileRow]] = defaultdict(list)
    for r in rows:
        found[r.message_id].append(FileRow(**r._asdict()))
    return found


async def _quarantine(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, QuarantineNote]:
    rows = await connection.execute(
        select(LedgerEntry.message_id, Quarantine.id, Quarantine.reason)
        .join(
            Quarantine,
            and_(Quarantine.tenant_id == LedgerEntry.tenant_id, Quarantine.ledger_id == LedgerEntry.id),
        )
        .where(
            LedgerEntry.tenant_id == tenant_id,
            LedgerEntry.message_id.in_(ids),
            Quarantine.resolved_at.is_(None),
        )
    )
    return {r.message_id: QuarantineNote(r.id, r.reason) for r in rows}
