"""Files of messages: a redirect to a presigned address, and the pictures that a mail shows within its frame."""

from starlette.responses import RedirectResponse, Response

from api.auth import Access
from api.downloads import first_bytes, picture, picture_headers
from api.endpoint import Call, Empty, Endpoint
from api.file_objects import make_object
from api.picture_tokens import picture_type
from api.problems import not_found
from api.remote_pictures import NoPicture
from store.messages_view import get_file
from store.visibility import Viewer

LINK_SECONDS = 900  # integrity X-11: whoever has the address may use it until then
MOST_PICTURE = 25 * 1024 * 1024


async def download(call: Call[Empty, None]) -> Response:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await get_file(connection, call.who.viewer, call.id("attachment_id"))
    if row is None:
        raise not_found()
    await make_object(call.deps, call.who.tenant_id, row)
    address = await call.deps.blobs.presign_get(
        row.storage_key,
        filename=row.filename,
        content_type=row.content_type,
        inline=False,
        seconds=LINK_SECONDS,
    )
    return RedirectResponse(address, 302, headers={"Cache-Control": "private, no-store"})


async def inline(call: Call[Empty, None]) -> Response:
    """The token is the permission: it was signed for somebody who may see the mail, and is soon over."""
    named = call.deps.picture_tokens.read(call.request.path_params["token"])
    if named is None:
        raise not_found()
    if named.url is not None:
        try:
            fetched = await call.deps.remote_pictures.fetch(named.url)
        except NoPicture:
            raise not_found() from None
        return Response(fetched.data, headers=picture_headers(fetched.content_type))
    async with call.deps.database.unit_of_work(named.tenant_id) as connection:
        everything = Viewer(named.tenant_id, None, sees_all=True)
        row = await get_file(connection, everything, named.attachment_id) if named.attachment_id else None
    if row is None or not 0 < row.size_bytes <= MOST_PICTURE:
        raise not_found()
    await make_object(call.deps, named.tenant_id, row)
    kind = picture_type(await first_bytes(call.deps.blobs, row.storage_key, row.size_bytes))
    if kind is None:
        raise not_found()
    return await picture(call.deps.blobs, row.storage_key, row.size_bytes, kind)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/attachments/{attachment_id}/download",
        download,
        Access.VIEWER,
        "Redirects to the file's bytes",
        status=302,
        media_type="",
    ),
    Endpoint(
        "GET",
        "/v1/inline/{token}",
        inline,
        Access.PUBLIC,
        "A picture within a mail, by its signed address",
        media_type="image/*",
    ),
)
