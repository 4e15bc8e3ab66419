"""Files that lie in their raw mail alone become objects of their own when somebody asks for them: most never are.

Dying anywhere leaves the file where it was or stores it again under the same name; two who ask at once store it twice, which
is once.
"""

import asyncio
import hashlib
import logging
import uuid

from api.blobs import BlobMissing
from api.deps import Deps
from mail.transfer_encodings import decode_transfer
from store.file_places import mark_file_stored, place_of_file
from store.messages_view import FileRow

log = logging.getLogger("mailroom.api")


async def make_object(deps: Deps, tenant_id: uuid.UUID, row: FileRow) -> None:
    """After this the file is an object under its storage key. Raises BlobsAway, and BlobMissing when the raw mail is gone
    or holds other bytes than were read from it.
    """
    async with deps.database.unit_of_work(tenant_id) as connection:
        place = await place_of_file(connection, tenant_id, row.id)
    if place is None:
        return
    encoded = await deps.blobs.get(place.raw_key, offset=place.offset, length=place.length) if place.length else b""
    content, sha256 = await asyncio.to_thread(_decoded, encoded, place.encoding)
    if sha256 != place.sha256:
        log.error("a file in a raw mail is not what was read from it", extra={"attachment_id": str(row.id)})
        raise BlobMissing(row.storage_key)
    await deps.blobs.put(row.storage_key, content)
    async with deps.database.unit_of_work(tenant_id) as connection:
        await mark_file_stored(connection, tenant_id, row.id)


def _decoded(encoded: bytes, encoding: str) -> tuple[bytes, str]:
    content, _ = decode_transfer(encoded, encoding)
    return content, hashlib.sha256(content).hexdigest()
