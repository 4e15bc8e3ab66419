"""Raw mails from a folder into the bucket, many in one object, and the ledger rows that say where each one lies.

Raw first (integrity I-1): the rows are handed back only when their bytes are stored. An object is named by its content,
so a repeat after a crash writes the same object again and nothing else.
"""

import asyncio
import datetime as dt
import hashlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from activities.recent_packs import RecentPacks
from contracts.failpoints import Failpoint, reached
from providers.imap.source import ImapSource
from providers.imap.values import FetchBatch, MailMeta
from providers.s3.blobs import BlobStore
from store.ledger import KnownRaw, LedgerRow, LedgerState

MOST_MAILS = 200
MOST_BYTES = 8 * 1024 * 1024
LARGEST_MAIL = 50 * 1024 * 1024
# A store that compresses by itself whatever has no type (SeaweedFS does) would have to unpack all of it for one mail out of it.
PACK = "application/vnd.mailroom.pack"
TOO_LARGE = "too_large"

IsHistory = Callable[[dt.datetime | None], bool]
Rematch = Callable[[Iterable[str]], Awaitable[Mapping[str, KnownRaw]]]


@dataclass(frozen=True, slots=True)
class Stretch:
    """UIDs that are fetched together; `large` are those of which only the header is fetched."""

    uids: tuple[int, ...]
    large: tuple[int, ...] = ()

    @property
    def every(self) -> tuple[int, ...]:
        return (*self.uids, *self.large)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the server gave for a stretch. Every UID is in exactly one place (integrity I-4)."""

    batch: FetchBatch
    headers: Mapping[int, bytes | None]


def stretches(
    uids: Sequence[int], metas: Mapping[int, MailMeta], *, largest: int = LARGEST_MAIL, first: int = MOST_MAILS
) -> Iterator[Stretch]:
    """Cut `uids`, in their order, into stretches of some megabytes. A mail without a size is asked for like the others:
    the answer shows whether it is gone. The first holds at most `first` mails, each further one up to twice as many: what
    comes after the fetch has work early.
    """
    together: list[int] = []
    large: list[int] = []
    size = 0
    most = min(first, MOST_MAILS)
    for uid in uids:
        weight = metas[uid].size if uid in metas else 0
        if weight > largest:
            large.append(uid)
            continue
        if together and (len(together) >= most or size + weight > MOST_BYTES):
            yield Stretch(tuple(together), tuple(large))
            together, large, size = [], [], 0
            most = min(2 * most, MOST_MAILS)
        together.append(uid)
        size += weight
    if together or large:
        yield Stretch(tuple(together), tuple(large))


async def fetch_stretch(source: ImapSource, stretch: Stretch) -> Fetched:
    """Fetch one stretch of the open folder. Reads only."""
    batch = await source.fetch(stretch.uids) if stretch.uids else FetchBatch([], [], [])
    return Fetched(batch, {uid: await source.header_of(uid) for uid in stretch.large})


async def prefetched(
    source: ImapSource, cut: Iterable[Stretch]
) -> AsyncGenerator[tuple[Stretch, Fetched], None]:
    """Each stretch with its mails; the next one is fetched while the caller is busy with the last. Close it when leaving
    before its end: that costs the connection.
    """
    under_way: tuple[Stretch, asyncio.Task[Fetched]] | None = None
    try:
        for stretch in cut:
            following = (stretch, asyncio.create_task(fetch_stretch(source, stretch)))
            if under_way is not None:
                before, under_way = under_way, following
                yield before[0], await before[1]
            else:
                under_way = following
        if under_way is not None:
            last, under_way = under_way, None
            yield last[0], await last[1]
    finally:
        if under_way is not None:
            under_way[1].cancel()
            await asyncio.gather(under_way[1], return_exceptions=True)


class Packer:
    """Stores what was fetched and makes its ledger rows. `packs` is told what was stored, for those who read it next."""

    def __init__(self, blobs: BlobStore, packs: RecentPacks | None = None) -> None:
        self._blobs = blobs
        self._packs = packs

    async def pack(
        self,
        tenant_id: uuid.UUID,
        fetched: Fetched,
        metas: Mapping[int, MailMeta],
        *,
        is_history: IsHistory,
        rematch: Rematch | None = None,
    ) -> list[LedgerRow]:
        """The rows of a stretch, their bytes stored. With `rematch`, contents that the folder had before are not stored
        again but point to what they are already (integrity I-7).
        """
        raws: list[tuple[int, bytes, dt.datetime | None, tuple[str, ...], str | None]] = [
            (m.uid, m.raw, m.internal_date, tuple(sorted(m.flags)), None) for m in fetched.batch.mails
        ]
        gone = list(fetched.batch.vanished)
        for uid, header in fetched.headers.items():
            if header is None:
                gone.append(uid)
                continue
            meta = metas[uid]
            raws.append((uid, header, meta.internal_date, tuple(sorted(meta.flags)), TOO_LARGE))
        hashes = [hashlib.sha256(raw).hexdigest() for _, raw, _, _, _ in raws]
        known = await rematch(set(hashes)) if rematch is not None and hashes else {}
        pack: list[bytes] = []
        placed: dict[str, int] = {}
        offset = 0
        for (_, raw, _, _, _), sha256 in zip(raws, hashes, strict=True):
            if sha256 not in known and sha256 not in placed:
                placed[sha256] = offset
                pack.append(raw)
                offset += len(raw)
        key = await self.put(tenant_id, pack, placed) if pack else None
        rows = []
        for (uid, raw, date, flags, reason), sha256 in zip(raws, hashes, strict=True):
            before = known.get(sha256)
            if before is not None:
                rows.append(
                    LedgerRow(
                        uid=uid,
                        state=LedgerState.SKIPPED,
                        raw_sha256=sha256,
                        raw_key=before.raw_key,
                        raw_offset=before.raw_offset,
                        raw_length=before.raw_length,
                        internal_date=date,
                        flags=flags,
                        historical=before.historical,
                        reason="rematched",
                        message_id=before.message_id,
                    )
                )
                continue
            rows.append(
                LedgerRow(
                    uid=uid,
                    state=LedgerState.STORED,
                    raw_sha256=sha256,
                    raw_key=key,
                    raw_offset=placed[sha256],
                    raw_length=len(raw),
                    internal_date=date,
                    flags=flags,
                    historical=is_history(date),
                    reason=reason,
                )
            )
        rows += [LedgerRow(uid=uid, state=LedgerState.VANISHED) for uid in gone]
        rows += [
            LedgerRow(
                uid=broken.uid,
                state=LedgerState.QUARANTINED,
                internal_date=metas[broken.uid].internal_date if broken.uid in metas else None,
                reason=f"fetch_{broken.reason}",
            )
            for broken in fetched.batch.broken
        ]
        return rows

    async def put(self, tenant_id: uuid.UUID, raws: Sequence[bytes], hashes: Iterable[str]) -> str:
        """Store mails one behind the other, under a name made of the SHA-256 of each; the key. Twice is once."""
        data = b"".join(raws)
        name = hashlib.sha256("".join(hashes).encode("ascii")).hexdigest()  # as good as of the octets, and seldom as long
        key = f"raw/{tenant_id}/{name}.pack"
        reached(Failpoint.FETCH_BEFORE_PUT)
        await self._blobs.put(key, data, PACK)
        reached(Failpoint.FETCH_AFTER_PUT)
        if self._packs is not None:
            self._packs.add(key, data)
        return key
