"""Answers that carry bytes from the bucket: raw mails and pictures, in pieces, never with a sender's word on their type."""

from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from api.blobs import BlobMissing, Blobs, chunks
from store.messages_view import RawPlace

NO_SCRIPT = "default-src 'none'; sandbox"


async def raw_mail(blobs: Blobs, place: RawPlace, filename: str) -> Response:
    """As a download, since a mail opened in a browser could hold anything. `filename` is ours."""
    return await _pieces(
        blobs,
        place,
        {
            "Content-Type": "message/rfc822",
            "Content-Disposition": f'attachment; filename="{filename}"',
            "Content-Security-Policy": NO_SCRIPT,
            "Cache-Control": "private, no-store",
        },
    )


async def _pieces(blobs: Blobs, place: RawPlace, headers: dict[str, str]) -> Response:
    length = place.length
    if length == 0:
        size = await blobs.size(place.key)
        if size is None:
            raise BlobMissing(place.key)
        length = size
    pieces = chunks(blobs, place.key, place.offset, length)
    # The first piece is fetched before the answer begins, so that a store that is away is still a 503.
    first = await anext(pieces, b"")

    async def body() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return StreamingResponse(body(), headers={**headers, "Content-Length": str(length)})


async def first_bytes(blobs: Blobs, key: str, length: int) -> bytes:
    """Enough of an object to tell what it is."""
    return await blobs.get(key, offset=0, length=min(length, 16))


async def picture(blobs: Blobs, key: str, length: int, content_type: str) -> Response:
    """A picture for the frame of a mail, whose opaque origin makes it a stranger to us: it may load it, and nothing else."""
    return await _pieces(blobs, RawPlace(key, 0, length), picture_headers(content_type))


def picture_headers(content_type: str) -> dict[str, str]:
    return {
        "Content-Type": content_type,
        "Content-Security-Policy": NO_SCRIPT,
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "private, max-age=900",
    }
