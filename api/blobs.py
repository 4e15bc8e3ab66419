"""What the API asks of the bucket. `api/app.py` gives it the real store and turns that store's errors into these two."""

from collections.abc import AsyncIterator
from typing import Protocol

CHUNK = 1024 * 1024


class BlobsAway(Exception):
    """The bucket did not answer, or refused us. Nothing was changed."""


class BlobMissing(Exception):
    """No object has this key."""


class Blobs(Protocol):
    """Objects by key. Every method may raise BlobsAway; readers may raise BlobMissing."""

    async def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes: ...

    async def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None: ...

    async def size(self, key: str) -> int | None:
        """Bytes of the object, or None when there is none."""
        ...

    async def presign_get(
        self, key: str, *, filename: str, content_type: str, inline: bool, seconds: int
    ) -> str:
        """An address that downloads the object until `seconds` have passed, with a safe type and disposition."""
        ...

    async def presign_put(self, key: str, *, length: int, content_type: str, seconds: int) -> str:
        """An address to which exactly `length` bytes of this type may be put."""
        ...

    async def ping(self) -> None: ...


def attachment_key(tenant_id: str, sha256: str) -> str:
    """Where a file lies: once per tenant and content (integrity X-10)."""
    return f"att/{tenant_id}/{sha256}"


async def chunks(blobs: Blobs, key: str, offset: int, length: int) -> AsyncIterator[bytes]:
    """The bytes in pieces of at most 1 MB, so that no object is ever held whole."""
    end = offset + length
    while offset < end:
        piece = await blobs.get(key, offset=offset, length=min(CHUNK, end - offset))
        if not piece:
            raise BlobMissing(key)
        offset += len(piece)
        yield piece
