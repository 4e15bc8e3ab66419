"""Replies that are not sent yet, one for each conversation and author. The last write stands, unless its writer has not seen
the one before: two windows of one person do not overwrite each other unasked.
"""

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

READ = text(
    """
    select body_html, subject, recipients, attachments, updated_at from drafts
    where tenant_id = :tenant and conversation_id = :conversation and author_id = :author
    """
)
LOCK = text(
    "select pg_advisory_xact_lock(hashtextextended('draft ' || cast(:conversation as text) || cast(:author as text), 0))"
)
SAVE = text(
    """
    insert into drafts (tenant_id, conversation_id, author_id, body_html, subject, recipients, attachments, updated_at)
    values (:tenant, :conversation, :author, :html, :subject, cast(:recipients as jsonb), cast(:attachments as jsonb), clock_timestamp())
    on conflict (tenant_id, conversation_id, author_id) do update set body_html = excluded.body_html,
      subject = excluded.subject, recipients = excluded.recipients, attachments = excluded.attachments,
      updated_at = greatest(excluded.updated_at, drafts.updated_at + interval '1 microsecond')
    returning updated_at
    """
)
DROP = text(
    """
    delete from drafts where tenant_id = :tenant and conversation_id = any(cast(:conversations as uuid[])) and author_id = :author
    """
)


@dataclass(frozen=True, slots=True)
class DraftRow:
    """`recipients` has `to`, `cc` and `bcc`, lists of `{"address", "name"}` as far as they were typed; `attachments` are uploads:
    `{"id", "filename", "size_bytes"}`.
    """

    html: str
    subject: str | None
    recipients: Mapping[str, Any]
    attachments: Sequence[Mapping[str, Any]]
    updated_at: dt.datetime


class DraftChanged(Exception):
    """Another window has written since; `current` is what stands, None when it was sent or discarded."""

    def __init__(self, current: DraftRow | None) -> None:
        super().__init__("the draft was changed elsewhere")
        self.current = current


async def read_draft(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID, author_id: uuid.UUID
) -> DraftRow | None:
    row = (
        await connection.execute(READ, {"tenant": tenant_id, "conversation": conversation_id, "author": author_id})
    ).first()
    return DraftRow(row.body_html, row.subject, row.recipients, row.attachments, row.updated_at) if row else None


async def save_draft(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    conversation_id: uuid.UUID,
    author_id: uuid.UUID,
    *,
    html: str,
    subject: str | None,
    recipients: Mapping[str, Any],
    attachments: Sequence[Mapping[str, Any]],
    checked: bool,
    based_on: dt.datetime | None,
) -> dt.datetime:
    """Keep it; when it was kept. With `checked` only if what stands is of `based_on` (None: nothing stands), so that a save which
    arrives behind the send of the same text brings nothing back. Raises DraftChanged.
    """
    key = {"tenant": tenant_id, "conversation": conversation_id, "author": author_id}
    # A row that is not there cannot be locked; two windows that begin at once follow each other here.
    await connection.execute(LOCK, {"conversation": conversation_id, "author": author_id})
    if checked:
        current = await read_draft(connection, tenant_id, conversation_id, author_id)
        if (current.updated_at if current else None) != based_on:
            raise DraftChanged(current)
    saved = await connection.execute(
        SAVE,
        {
            **key,
            "html": html,
            "subject": subject,
            "recipients": json.dumps(recipients),
            "attachments": json.dumps(attachments),
        },
    )
    at: dt.datetime = saved.scalar_one()
    return at


async def drop_draft(
    connection: AsyncConnection, tenant_id: uuid.UUID, author_id: uuid.UUID, *conversations: uuid.UUID
) -> None:
    """Discarded, or sent: then in the transaction that queues the reply. Twice is once."""
    await connection.execute(DROP, {"tenant": tenant_id, "conversations": list(conversations), "author": author_id})
