"""Where the bytes of a file lie that was never asked for: within its raw mail, until it becomes an object of its own."""

import uuid
from dataclasses import dataclass

from sqlalchemy import and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Attachment, Message


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file's encoded bytes within the object that holds the raw mail."""

    raw_key: str
    offset: int
    length: int
    encoding: str
    sha256: str


async def place_of_file(
    connection: AsyncConnection, tenant_id: uuid.UUID, attachment_id: uuid.UUID
) -> FilePlace | None:
    """Where a file's encoded bytes lie that is no object of its own yet; None when it is one, or is gone."""
    row = (
        await connection.execute(
            select(
                Message.raw_key,
                (Message.raw_offset + Attachment.encoded_offset).label("offset"),
                Attachment.encoded_length.label("length"),
                Attachment.encoding,
                Attachment.sha256,
            )
            .join(
                Message, and_(Message.tenant_id == Attachment.tenant_id, Message.id == Attachment.message_id)
            )
            .where(
                Attachment.tenant_id == tenant_id,
                Attachment.id == attachment_id,
                Attachment.encoded_offset.is_not(None),
                Attachment.stored_at.is_(None),
            )
        )
    ).first()
    return FilePlace(**row._asdict()) if row else None


async def mark_file_stored(connection: AsyncConnection, tenant_id: uuid.UUID, attachment_id: uuid.UUID) -> None:
    """The file is an object under its storage key. Twice changes nothing."""
    await connection.execute(
        update(Attachment)
        .where(
            Attachment.tenant_id == tenant_id, Attachment.id == attachment_id, Attachment.stored_at.is_(None)
        )
        .values(stored_at=func.now())
    )
