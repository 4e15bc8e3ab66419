"""Uploads that become the files of a message: complete ones of this tenant only, within the limits, at most once each.

The blobs stay where the upload put them (stored once per tenant and sha256); only rows are made here.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.outgoing_errors import HeaderInjection, refuse_injection
from store.outbound_recipients import CannotSend

FILE_BYTES = 25 * 1024 * 1024
MESSAGE_BYTES = 25 * 1024 * 1024
FILES = 10

UPLOADS = text(
    """
    select id, filename, content_type, size_bytes, sha256, storage_key, completed_at from uploads
    where tenant_id = :tenant and id = any(:ids)
    """
)
INSERT = text(
    """
    insert into attachments (tenant_id, message_id, position, filename, content_type, size_bytes, sha256, storage_key,
      content_id_header, disposition)
    values (:tenant, :message, :position, :filename, :content_type, :size_bytes, :sha256, :storage_key,
      :content_id, :disposition)
    """
)


async def attach_uploads(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    upload_ids: Sequence[uuid.UUID],
    html: str,
    other_bytes: int,
) -> None:
    """Rows of the message's files, in the order given; inline where `html` shows `cid:<upload id>`.

    Raises CannotSend naming the entry (`attachments[2]`). `other_bytes` are the bodies, which count for the message.
    """
    if not upload_ids:
        return
    if len(upload_ids) > FILES:
        raise CannotSend("attachments", f"has {len(upload_ids)} files; at most {FILES} go with one message")
    if len(set(upload_ids)) != len(upload_ids):
        raise CannotSend("attachments", "names a file twice; name each once")
    rows = await connection.execute(UPLOADS, {"tenant": tenant_id, "ids": list(upload_ids)})
    found = {row.id: row for row in rows}
    total = other_bytes
    bound: list[dict[str, Any]] = []
    for position, upload_id in enumerate(upload_ids):
        field = f"attachments[{position}]"
        upload = found.get(upload_id)
        if upload is None:
            raise CannotSend(field, "is no upload that exists; upload the file again")
        if upload.completed_at is None or upload.storage_key is None or upload.sha256 is None:
            raise CannotSend(field, "was not uploaded completely; finish the upload, then send")
        if upload.size_bytes > FILE_BYTES:
            raise CannotSend(field, "is larger than 25 MB; share a link instead")
        try:
            refuse_injection(f"{field}.filename", upload.filename)
        except HeaderInjection as wrong:
            raise CannotSend(wrong.field, wrong.remedy) from None
        total += upload.size_bytes
        inline = f"cid:{upload_id}" in html
        bound.append(
            {
                "tenant": tenant_id,
                "message": message_id,
                "position": position,
                "filename": upload.filename,
                "content_type": upload.content_type,
                "size_bytes": upload.size_bytes,
                "sha256": upload.sha256,
                "storage_key": upload.storage_key,
                "content_id": str(upload_id) if inline else None,
                "disposition": "inline" if inline else "attachment",
            }
        )
    if total > MESSAGE_BYTES:
        raise CannotSend("attachments", "make the message larger than 25 MB; leave some out or share a link")
    await connection.execute(INSERT, bound)
