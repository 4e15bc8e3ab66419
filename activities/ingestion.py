"""Batches of stored mails on their way to rows: bytes from the bucket, read in children, files stored, one transaction.

Live mail and history take the same way; the caller's guard keeps zombies out. If it dies: before the attempt is counted
nothing has happened; after it the mails are read again; after the transaction they are settled and not found again.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.parser_child import ReadMail, ReadOrder, Unread, empty_card
from activities.parser_pool import ParserPool
from activities.stored_files import FileStore
from providers.errors import ProviderError
from providers.s3.blobs import BlobMissing, BlobStore
from store.inbound import StoredBatch, store_batch
from store.inbox_state import own_addresses
from store.incoming import IncomingMail, Poison
from store.ledger import PendingMail, claim, count_attempt
from store.search import index_messages
from store.unit_of_work import Database

Guard = Callable[[AsyncConnection], Awaitable[object]]

MOST_MAILS = 200
MOST_BYTES = 16 * 1024 * 1024
ATTEMPTS = 3  # integrity I-6
# One GET for a stretch of a pack, as long as not much more than the wanted mails comes along.
WASTE = 2
INDEX_AT_ONCE = 500
TOO_LARGE = Poison("too_large", "larger than the limit; only its headers were fetched")


@dataclass(frozen=True, slots=True)
class Lane:
    """Which stored mails are meant: the live ones of an inbox, or one folder's history."""

    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    guard: Guard
    historical: bool = False
    folder_id: uuid.UUID | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    pending: PendingMail
    read: ReadMail
    poison: Poison | None = None


class Ingestion:
    """Reads and stores batches until none is left or the time is up."""

    def __init__(self, database: Database, blobs: BlobStore, parsers: ParserPool) -> None:
        self._database = database
        self._blobs = blobs
        self._parsers = parsers
        self._files = FileStore(blobs)

    async def drain(self, lane: Lane, *, seconds: float) -> StoredBatch:
        """Ingest what waits in `lane`, batch by batch. Full text is built beside the next batch: it is not waited for."""
        total = StoredBatch()
        ends = time.monotonic() + seconds
        indexing: asyncio.Task[None] | None = None
        try:
            while (batch := await self.next_batch(lane)) is not None:
                total += batch
                if indexing is not None:
                    await indexing
                indexing = asyncio.create_task(self.index(lane.tenant_id))
                if time.monotonic() > ends:
                    break
            if indexing is not None:
                await indexing
        finally:
            if indexing is not None and not indexing.done():
                indexing.cancel()
                await asyncio.gather(indexing, return_exceptions=True)
        return total

    async def next_batch(self, lane: Lane) -> StoredBatch | None:
        """Ingest one batch; None when nothing waits. A mail that could not be read waits for its next attempt."""
        async with self._database.unit_of_work(lane.tenant_id) as connection:
            await lane.guard(connection)
            pending = _bounded(
                await claim(
                    connection,
                    lane.tenant_id,
                    lane.inbox_id,
                    historical=lane.historical,
                    folder_id=lane.folder_id,
                    limit=MOST_MAILS,
                )
            )
            own = await own_addresses(connection, lane.tenant_id)
        if not pending:
            return None
        raws = await self._raws(pending)
        ids = [p.id for p in pending]
        async with self._database.unit_of_work(lane.tenant_id) as connection:
            await lane.guard(connection)
            await count_attempt(connection, lane.tenant_id, ids)
        read = await self._read(lane, pending, raws, own)
        try:
            mails = await self._with_files(lane.tenant_id, read)
        except ProviderError:
            # The bucket's fault, not the mails': it must not bring them nearer to quarantine.
            async with self._database.unit_of_work(lane.tenant_id) as connection:
                await lane.guard(connection)
                await count_attempt(connection, lane.tenant_id, ids, step=-1)
            raise
        async with self._database.unit_of_work(lane.tenant_id) as connection:
            await lane.guard(connection)
            return await store_batch(connection, lane.tenant_id, lane.inbox_id, mails, run=lane.run)

    async def index(self, tenant_id: uuid.UUID) -> None:
        """Make what was stored searchable. If it dies here, the next batch or the sweep does it."""
        async with self._database.unit_of_work(tenant_id) as connection:
            await index_messages(connection, tenant_id, limit=INDEX_AT_ONCE)

    async def _raws(self, pending: Sequence[PendingMail]) -> dict[uuid.UUID, bytes]:
        """The bytes of each mail. One whose object is missing is left out: it is that mail's trouble, not the inbox's."""
        packs: dict[str, list[PendingMail]] = {}
        for mail in pending:
            packs.setdefault(mail.raw_key, []).append(mail)
        raws: dict[uuid.UUID, bytes] = {}
        for key, mails in packs.items():
            try:
                for stretch in _stretches(mails):
                    start = stretch[0].raw_offset
                    end = max(m.raw_offset + m.raw_length for m in stretch)
                    data = await self._blobs.get(key, start, end - start)
                    for m in stretch:
                        raws[m.id] = data[m.raw_offset - start : m.raw_offset - start + m.raw_length]
            except BlobMissing as missing:
                if missing.reason != BlobMissing.reason:
                    raise  # the whole bucket is gone
        return raws

    async def _read(
        self,
        lane: Lane,
        pending: Sequence[PendingMail],
        raws: Mapping[uuid.UUID, bytes],
        own: frozenset[str],
    ) -> list[_Read]:
        """What was read, and the cards of what never will be. The rest is left for another attempt."""
        here = [p for p in pending if p.id in raws]
        orders = [
            ReadOrder(
                raw=raws[p.id],
                tenant=str(lane.tenant_id),
                folder_role=p.role or "inbox",
                own_addresses=own,
                labels=tuple(p.flags),
                headers_only=p.reason == TOO_LARGE.reason,
            )
            for p in here
        ]
        if here and here[0].attempts == 0:
            answers = await self._parsers.read(orders)
        else:  # it failed before: alone, so that it can take nobody along
            answers = [await self._parsers.read_alone(order) for order in orders]
        read: list[_Read] = []
        for mail, order, answer in zip(here, orders, answers, strict=True):
            if isinstance(answer, ReadMail):
                read.append(_Read(mail, answer, TOO_LARGE if order.headers_only else None))
            elif answer.final or mail.attempts + 1 >= ATTEMPTS:
                read.append(await self._card(mail, order, answer))
        missing = Poison("blob_missing", "its bytes are not in the bucket")
        read += [
            _Read(p, empty_card(p.raw_sha256 or str(p.id), p.raw_length), missing)
            for p in pending
            if p.id not in raws and p.attempts + 1 >= ATTEMPTS
        ]
        return read

    async def _card(self, mail: PendingMail, order: ReadOrder, why: Unread) -> _Read:
        answer = await self._parsers.read_alone(replace(order, headers_only=True))
        if isinstance(answer, Unread):
            answer = empty_card(mail.raw_sha256 or str(mail.id), len(order.raw))
        return _Read(mail, answer, Poison(why.reason, why.detail, why.stack_hash))

    async def _with_files(self, tenant_id: uuid.UUID, read: Sequence[_Read]) -> list[IncomingMail]:
        files = await self._files.store(tenant_id, [r.read.mail.parts for r in read])
        return [
            IncomingMail(
                pending=r.pending,
                mail=replace(r.read.mail, parts=()),
                verdict=r.read.verdict,
                hints=r.read.hints,
                files=stored,
                send_id=r.read.send_id,
                authentication=r.read.authentication,
                poison=r.poison,
            )
            for r, stored in zip(read, files, strict=True)
        ]


def _bounded(pending: Sequence[PendingMail]) -> list[PendingMail]:
    """As many as fit into memory together, at least one."""
    kept: list[PendingMail] = []
    size = 0
    for mail in pending:
        size += mail.raw_length
        if kept and size > MOST_BYTES:
            break
        kept.append(mail)
    return kept


def _stretches(mails: Sequence[PendingMail]) -> list[list[PendingMail]]:
    """Mails of one pack, cut where reading across a hole would cost more than it saves."""
    ordered = sorted(mails, key=lambda m: m.raw_offset)
    stretches: list[list[PendingMail]] = [[ordered[0]]]
    wanted = ordered[0].raw_length
    for mail in ordered[1:]:
        start = stretches[-1][0].raw_offset
        if mail.raw_offset + mail.raw_length - start <= WASTE * (wanted + mail.raw_length):
            stretches[-1].append(mail)
            wanted += mail.raw_length
        else:
            stretches.append([mail])
            wanted = mail.raw_length
    return stretches
