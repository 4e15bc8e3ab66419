"""Drops octets from the bucket that no row names any more: whole objects, and single mails out of packs.

A pack holds several mails and S3 cannot change a part of an object. The mails that go are overwritten with zeros and the whole
pack is put again under its own key: a PUT replaces an object as a whole (a reader sees the old or the new one), no other
mail's place moves, and no row has to be changed. A pack of which nothing is left is deleted.

If it dies after the PUT, the note is still there; the next run finds zeros and ends it. One pack is worked on by one worker at
a time (a lock that ends with the transaction). Octets are overwritten only where they have the hash that the note tells.
"""

import datetime as dt
import hashlib
import uuid
from collections import Counter
from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.s3.blobs import BlobMissing, BlobStore
from store import dropped_objects
from store.dropped_objects import DroppedStretch
from store.unit_of_work import Database

# A writer puts an object before its row names it, minutes at most, and puts it anew when its last put is older than ten.
FRESH = dt.timedelta(hours=1)
AGAIN = dt.timedelta(minutes=10)


class ObjectDrops:
    """`clock` gives aware instants."""

    def __init__(
        self, database: Database, blobs: BlobStore, *, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock

    async def some(
        self, tenant_id: uuid.UUID, *, erasure_id: uuid.UUID | None = None, limit: int = 20
    ) -> tuple[Counter[str], bool]:
        """Work through the next objects; what was done, and whether there may be more. What is fresh is put off by ten minutes."""
        async with self._database.unit_of_work(tenant_id) as connection:
            keys = await dropped_objects.next_keys(
                connection, tenant_id, before=self._clock(), erasure_id=erasure_id, limit=limit
            )
        counts: Counter[str] = Counter()
        for key in keys:
            counts += await self._one(tenant_id, key)
        return counts, len(keys) == limit

    async def _one(self, tenant_id: uuid.UUID, key: str) -> Counter[str]:
        async with self._database.unit_of_work(tenant_id) as connection:
            stretches = await dropped_objects.hold_key(connection, tenant_id, key)
            named = [s for s in stretches if await dropped_objects.still_named(connection, tenant_id, key, s)]
            goes = [s for s in stretches if s not in named]
            await dropped_objects.dropped(connection, tenant_id, [s.id for s in named])
            if not goes:
                return Counter(kept=len(named))
            if any(s.length is None for s in goes):
                if not await self._delete(key):
                    return await self._put_off(connection, tenant_id, goes)
                done, wrong = goes, list[DroppedStretch]()
                counts = Counter(objects=1)
            elif any(s.erasure_id is None for s in goes) and await self._is_fresh(key):
                return await self._put_off(connection, tenant_id, goes)
            else:
                done, wrong, counts = await self._blank(key, goes)
            await dropped_objects.dropped(connection, tenant_id, [s.id for s in done])
            await dropped_objects.refused(connection, tenant_id, [s.id for s in wrong], "other_bytes")
        counts["kept"] += len(named)
        return +counts

    async def _put_off(
        self, connection: AsyncConnection, tenant_id: uuid.UUID, goes: list[DroppedStretch]
    ) -> Counter[str]:
        await dropped_objects.put_off(connection, tenant_id, [s.id for s in goes], self._clock() + AGAIN)
        return Counter(fresh=1)

    async def _delete(self, key: str) -> bool:
        """False for an object that was put lately: whoever put it may be about to name it."""
        if not key.startswith("out/") and await self._is_fresh(key):
            return False
        await self._blobs.delete([key])
        return True

    async def _is_fresh(self, key: str) -> bool:
        """A pack is named by its contents, so another inbox may just now be storing the same mails under the same name. What was
        erased has a tombstone for every inbox, which such a pack meets; what a policy removed has not, and waits.
        """
        info = await self._blobs.head(key)
        return info is not None and info.modified is not None and self._clock() - info.modified < FRESH

    async def _blank(
        self, key: str, goes: list[DroppedStretch]
    ) -> tuple[list[DroppedStretch], list[DroppedStretch], Counter[str]]:
        """Overwrite these mails of a pack; which are gone now, and which hold other octets than they should."""
        try:
            pack = bytearray(await self._blobs.get(key))
        except BlobMissing:
            return goes, [], Counter()
        done, wrong = [], []
        blanked = 0
        for stretch in goes:
            end = stretch.offset + (stretch.length or 0)
            there = bytes(pack[stretch.offset : end])
            if not any(there):
                done.append(stretch)  # by an attempt that died before it could say so
            elif hashlib.sha256(there).hexdigest() == stretch.sha256:
                pack[stretch.offset : end] = bytes(len(there))
                blanked += 1
                done.append(stretch)
            else:
                wrong.append(stretch)
        if not any(pack):
            await self._blobs.delete([key])
            return done, wrong, Counter(objects=1, mails=blanked)
        if blanked:
            await self._blobs.put(key, bytes(pack))
        return done, wrong, Counter(mails=blanked, refused=len(wrong))
