"""Files on their way into a message: announced, put into the bucket, checked by hash, then named by a reply."""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Upload
from store.visibility import Viewer


@dataclass(frozen=True, slots=True)
class UploadRow:
    id: uuid.UUID
    filename: str
    content_type: str
    size_bytes: int
    upload_key: str
    completed_at: dt.datetime | None


async def add_upload(
    connection: AsyncConnection,
    viewer: Viewer,
    upload_id: uuid.UUID,
    *,
    filename: str,
    content_type: str,
    size_bytes: int,
    upload_key: str,
) -> None:
    """An announced file. Nothing is stored yet; what never completes is swept after a day."""
    await connection.execute(
        insert(Upload).values(
            tenant_id=viewer.tenant_id,
            id=upload_id,
            user_id=viewer.user_id,
            filename=filename,
            content_type=content_type,
            size_bytes=size_bytes,
            upload_key=upload_key,
        )
    )


async def get_upload(connection: AsyncConnection, viewer: Viewer, upload_id: uuid.UUID) -> UploadRow | None:
    """The caller's own upload; keys share those that keys announced."""
    row = (
        await connection.execute(
            select(
                Upload.id,
                Upload.filename,
                Upload.content_type,
                Upload.size_bytes,
                Upload.upload_key,
                Upload.completed_at,
            ).where(Upload.tenant_id == viewer.tenant_id, Upload.id == upload_id, _own(viewer))
        )
    ).first()
    return UploadRow(**row._asdict()) if row else None


async def complete_upload(
    connection: AsyncConnection, viewer: Viewer, upload_id: uuid.UUID, *, sha256: str, storage_key: str
) -> None:
    """The bytes lie under their hash. A second completion keeps the first time."""
    await connection.execute(
        update(Upload)
        .where(Upload.tenant_id == viewer.tenant_id, Upload.id == upload_id, _own(viewer))
        .values(
            sha256=sha256,
            storage_key=storage_key,
            completed_at=func.coalesce(Upload.completed_at, func.now()),
        )
    )


def _own(viewer: Viewer) -> ColumnElement[bool]:
    return Upload.user_id == viewer.user_id if viewer.user_id else Upload.user_id.is_(None)
