"""Files for a reply: announced, put, completed.

A browser puts the bytes here, on the page's own origin: a bucket takes them directly only where its operator has set up
CORS and made it reachable for every agent. A program gets a presigned address of the bucket. Either way the file is
hashed here before a message can name it, and lies under its hash (integrity X-10, X-11).
"""

import hashlib
import re
import uuid

from api.auth import Access
from api.blobs import BlobMissing, attachment_key
from api.bodies import read_bytes
from api.deps import Deps
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.messages import NewUpload, Uploaded, UploadSlot
from mail.filenames import safe_filename
from store.uploads import UploadRow, add_upload, complete_upload, get_upload

CONTENT_TYPE = re.compile(r"[a-z0-9][\w.+-]{0,99}/[a-z0-9][\w.+-]{0,99}", re.ASCII | re.IGNORECASE)
OCTETS = "application/octet-stream"
PUT_SECONDS = 900


async def announce(call: Call[Empty, NewUpload]) -> UploadSlot:
    who, new, limits = call.who, call.body, call.deps.config
    if new.size_bytes > limits.file_bytes:
        raise not_valid(
            FieldError(
                "size_bytes",
                f"a file may have at most {limits.file_bytes // 1024 // 1024} MB; share a link instead",
            )
        )
    # A type that cannot be one is not worth refusing a file for: it is sent as octets.
    kind = new.content_type.partition(";")[0].strip().lower()
    kind = kind if CONTENT_TYPE.fullmatch(kind) else OCTETS
    upload_id = uuid.uuid4()
    key = f"uploads/{who.tenant_id}/{upload_id}"
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        await add_upload(
            connection,
            who.viewer,
            upload_id,
            filename=safe_filename(new.filename, kind),
            content_type=kind,
            size_bytes=new.size_bytes,
            upload_key=key,
        )
    if who.user_id is not None:
        return UploadSlot(
            id=str(upload_id),
            put_url=f"/v1/uploads/{upload_id}/content",
            headers={"Content-Type": kind, "X-Mailroom": "1"},
        )
    address = await call.deps.blobs.presign_put(
        key, length=new.size_bytes, content_type=kind, seconds=PUT_SECONDS
    )
    return UploadSlot(id=str(upload_id), put_url=address, headers={"Content-Type": kind})


async def put_content(call: Call[Empty, None]) -> None:
    """The bytes, exactly as many as were announced. Twice: the second one stands until the upload is completed."""
    row = await _own(call)
    if row.completed_at is not None:
        raise Problem(
            409, "This upload is complete. Announce the file again to change it.", name="upload-complete"
        )
    data = await read_bytes(call.request, row.size_bytes)
    if len(data) != row.size_bytes:
        raise _wrong_size(row, len(data))
    await call.deps.blobs.put(row.upload_key, data, content_type=OCTETS)


async def complete(call: Call[Empty, None]) -> Uploaded:
    """Look at what really arrived, and put it under its hash. Dying between the two leaves an upload to complete again."""
    row = await _own(call)
    if row.completed_at is None:
        await _settle(call.deps, call, row)
    return Uploaded(id=str(row.id), filename=row.filename, size_bytes=row.size_bytes)


async def _settle(deps: Deps, call: Call[Empty, None], row: UploadRow) -> None:
    size = await deps.blobs.size(row.upload_key)
    if size is None:
        raise Problem(
            409, "The bytes have not arrived. PUT them to `put_url`, then complete.", name="upload-missing"
        )
    if size != row.size_bytes:
        raise _wrong_size(row, size)
    try:
        data = await deps.blobs.get(row.upload_key)
    except BlobMissing:
        raise Problem(409, "The bytes are gone again. Upload the file anew.", name="upload-missing") from None
    digest = hashlib.sha256(data).hexdigest()
    key = attachment_key(str(call.who.tenant_id), digest)
    await deps.blobs.put(key, data, content_type=OCTETS)
    async with deps.database.unit_of_work(call.who.tenant_id) as connection:
        await complete_upload(connection, call.who.viewer, row.id, sha256=digest, storage_key=key)


async def _own(call: Call[Empty, None]) -> UploadRow:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await get_upload(connection, call.who.viewer, call.id("upload_id"))
    if row is None:
        raise not_found()
    return row


def _wrong_size(row: UploadRow, size: int) -> Problem:
    return not_valid(
        FieldError("size_bytes", f"was announced as {row.size_bytes}, but {size} octets arrived")
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/uploads",
        announce,
        Access.AGENT,
        "Announce a file",
        response=UploadSlot,
        status=201,
        body=NewUpload,
    ),
    Endpoint(
        "PUT",
        "/v1/uploads/{upload_id}/content",
        put_content,
        Access.AGENT,
        "Put the bytes of an announced file",
        status=204,
        raw_body=True,
        conflicts=("upload-complete",),
    ),
    Endpoint(
        "POST",
        "/v1/uploads/{upload_id}/complete",
        complete,
        Access.AGENT,
        "The bytes have arrived",
        response=Uploaded,
        conflicts=("upload-missing",),
    ),
)
