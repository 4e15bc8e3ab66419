"""Puts those files of mails into the bucket, once per tenant and content, that do not lie in the raw mail as they are, before
any row names them. The others get an object of their own when somebody asks for them (`api/attachments.py`).

A put that is repeated stores the same bytes under the same key, so a crash between bucket and rows leaves at most an
object that nothing names yet.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence

from mail.values import Part
from providers.s3.blobs import BlobStore
from store.incoming import StoredFile

AT_ONCE = 8
# Logos come with every mail of a sender. What was put a moment ago is not put again; it is believed only for a short
# while, because retention may remove an object that no row names.
REMEMBERED = 10_000
REMEMBER_SECONDS = 600.0


def file_key(tenant_id: uuid.UUID, sha256: str) -> str:
    """Where the bytes of a file lie (integrity X-10: by content, never by name)."""
    return f"att/{tenant_id}/{sha256}"


def named_files(tenant_id: uuid.UUID, parts: Sequence[Part]) -> tuple[StoredFile, ...]:
    """The files of one mail under the names that the bucket has, or would have, for them."""
    return tuple(
        StoredFile(
            filename=part.filename,
            content_type=part.content_type,
            size_bytes=part.size,
            sha256=part.sha256,
            storage_key=file_key(tenant_id, part.sha256),
            content_id=part.content_id,
            disposition="inline" if part.disposition == "inline" else "attachment",
            place=part.place,
        )
        for part in parts
    )


class FileStore:
    """Stores the parts of a batch with bounded concurrency."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._recent: dict[tuple[uuid.UUID, str], float] = {}

    async def store(
        self, tenant_id: uuid.UUID, mails: Sequence[Sequence[Part]]
    ) -> list[tuple[StoredFile, ...]]:
        """The stored files of each mail, in order. Raises what the bucket raises; then none of them may be named."""
        wanted = {part.sha256: part.content for parts in mails for part in parts if part.place is None}
        now = time.monotonic()
        missing = [
            s for s in wanted if now - self._recent.get((tenant_id, s), -REMEMBER_SECONDS) >= REMEMBER_SECONDS
        ]
        puts = [asyncio.create_task(self._put(tenant_id, s, wanted[s])) for s in missing]
        try:
            await asyncio.gather(*puts)
        except BaseException:
            for put in puts:
                put.cancel()
            await asyncio.gather(*puts, return_exceptions=True)
            raise
        return [named_files(tenant_id, parts) for parts in mails]

    async def _put(self, tenant_id: uuid.UUID, sha256: str, content: bytes) -> None:
        async with self._at_once:
            await self._blobs.put(file_key(tenant_id, sha256), content, sha256=sha256)
        if len(self._recent) >= REMEMBERED:
            self._recent.clear()
        self._recent[tenant_id, sha256] = time.monotonic()
