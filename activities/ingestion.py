"""Batches of stored mails on their way to rows: bytes from the bucket, read in children, files stored, one transaction.

Live mail and history take the same way; the caller's guard keeps zombies out. If it dies: before the attempt is counted
nothing has happened; after it the mails are read again; after the transaction they are settled and not found again.
"""

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.beside import Beside
from activities.parser_child import ReadMail, ReadOrder, Unread, empty_card
from activities.parser_pool import ChildrenDoNotStart, ParserPool
from activities.recent_packs import RecentPacks
from activities.stored_files import FileStore
from activities.turns import FairTurns, Turn
from contracts.failpoints import Failpoint, reached
from providers.errors import ProviderError
from providers.s3.blobs import BlobMissing, BlobStore
from rules.inbound_flood import FROM_ONE_SENDER, INTO_ONE_INBOX
from store.inbound import StoredBatch, store_batch
from store.inbound_flood import IncomingCaps
from store.inbox_state import Lease, hold_lease, own_addresses
from store.incoming import IncomingMail, Poison
from store.ledger import PendingMail, claim, count_attempt
from store.search import index_messages
from store.unit_of_work import Database

log = logging.getLogger(__name__)

Guard = Callable[[AsyncConnection], Awaitable[object]]

MOST_MAILS = 400
MOST_BYTES = 16 * 1024 * 1024
ATTEMPTS = 3  # integrity I-6
MOST_DEATHS = 8  # of parser children in one fresh batch: a batch full of poison must end long before its step's time is up
# One GET for a stretch of a pack, as long as not much more than the wanted mails comes along.
WASTE = 2
# With so few, hardly anything else waits: looking for more beside the write would only slow the write down.
FEW = 20
INDEX_AT_ONCE = 500
SEATS = 3  # one is written while two are read
CAPS = IncomingCaps(sender=FROM_ONE_SENDER, inbox=INTO_ONE_INBOX)
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
    took: Callable[[int], None] | None = None  # is told the octets of each batch that is in work


def live_lane(lease: Lease) -> Lane:
    """An inbox's live mail, as long as `lease` is held. Called in an activity, whose run the rows name."""
    return Lane(
        lease.tenant_id,
        lease.inbox_id,
        guard=lambda connection: hold_lease(connection, lease, shared=True),
        run=activity.info().workflow_run_id,
    )


@dataclass(frozen=True, slots=True)
class _Read:
    pending: PendingMail
    read: ReadMail
    poison: Poison | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A batch that was read and whose files are stored; its rows are still to be written."""

    ids: tuple[uuid.UUID, ...]
    mails: Sequence[IncomingMail]


class Ingestion:
    """Reads and stores batches until none is left or the time is up. `packs` remembers what this process has stored:
    share it with the steps that fetch. `turns` bounds how many inboxes are ingested at a time, and of which tenants.
    """

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        parsers: ParserPool,
        packs: RecentPacks | None = None,
        turns: FairTurns | None = None,
    ) -> None:
        self._turns = turns or FairTurns(SEATS)
        self.packs = packs or RecentPacks()
        self._database = database
        self._blobs = blobs
        self._parsers = parsers
        self._files = FileStore(blobs)

    def searchable(self, tenant_id: uuid.UUID) -> Beside:
        """Makes what is told to it searchable, beside whatever goes on."""
        return Beside(partial(self.index, tenant_id))

    async def drain(self, lane: Lane, *, seconds: float, search: Beside | None = None) -> StoredBatch:
        """Ingest what waits in `lane`, batch by batch: while one is written, the next is read and those before indexed.
        When others wait, the seat is passed on after each batch. The seconds count from when there is a seat. With
        `search` it is the caller who waits for the index.

        A mail that could not be read waits for its next attempt. Attempts of a batch that was read but, through no fault
        of its own, not written, are taken back.
        """
        async with self._turns.turn(lane.tenant_id, later=lane.historical) as turn:
            ends = time.monotonic() + seconds
            if search is not None:
                return await self._drain(lane, turn, search, ends=ends)
            async with self.searchable(lane.tenant_id) as own:
                return await self._drain(lane, turn, own, ends=ends)

    async def _drain(self, lane: Lane, turn: Turn, search: Beside, *, ends: float) -> StoredBatch:
        total = StoredBatch()
        beside: set[asyncio.Task[Any]] = set()
        current = await self._prepare(lane, ())
        try:
            while current is not None:
                following = None
                more = time.monotonic() < ends
                few = len(current.ids) <= FEW
                if more and not few and not turn.wanted:
                    following = asyncio.create_task(self._prepare(lane, current.ids))
                    beside.add(following)
                total += await self._store(lane, current)
                search.tell()
                again = len(current.mails) < len(current.ids)
                current = None if following is None else await following
                beside.clear()
                if more and following is None:
                    await turn.pass_on()
                    current = await self._prepare(lane, ())
                elif current is None and again and following is not None:
                    current = await self._prepare(lane, ())  # what was not read is out of work now
        finally:
            await self._abandon(lane, beside)
        return total

    async def _prepare(self, lane: Lane, in_work: Sequence[uuid.UUID]) -> _Prepared | None:
        """Claim, fetch from the bucket, read, store files. None when nothing waits."""
        async with self._database.unit_of_work(lane.tenant_id) as connection:
            await lane.guard(connection)
            pending = bounded(
                await claim(
                    connection,
                    lane.tenant_id,
                    lane.inbox_id,
                    historical=lane.historical,
                    folder_id=lane.folder_id,
                    limit=MOST_MAILS,
                    but=in_work,
                )
            )
            own = await own_addresses(connection, lane.tenant_id)
        if not pending:
            return None
        raws = await self.raws(pending)
        if lane.took is not None:
            lane.took(sum(p.raw_length for p in pending))
        ids = tuple(p.id for p in pending)
        reached(Failpoint.INGEST_CLAIMED)
        async with self._database.unit_of_work(lane.tenant_id) as connection:
            await lane.guard(connection)
            await count_attempt(connection, lane.tenant_id, ids)
        reached(Failpoint.INGEST_COUNTED)
        try:
            read = await self._read(lane, pending, raws, own)
            reached(Failpoint.INGEST_PARSED)
            return _Prepared(ids, await self._with_files(lane.tenant_id, read))
        except (ProviderError, ChildrenDoNotStart):
            # The bucket's or the machine's fault, not the mails': it must not bring them nearer to quarantine.
            await self._forgive(lane, ids)
            raise

    async def _store(self, lane: Lane, batch: _Prepared) -> StoredBatch:
        async with self._database.unit_of_work(lane.tenant_id) as connection:
            await lane.guard(connection)
            stored = await store_batch(connection, lane.tenant_id, lane.inbox_id, batch.mails, run=lane.run, caps=CAPS)
            reached(Failpoint.INGEST_BEFORE_COMMIT)
        reached(Failpoint.INGEST_AFTER_COMMIT)
        return stored

    async def _forgive(self, lane: Lane, ids: Sequence[uuid.UUID]) -> None:
        async with self._database.unit_of_work(lane.tenant_id) as connection:
            await lane.guard(connection)
            await count_attempt(connection, lane.tenant_id, ids, step=-1)

    async def _abandon(self, lane: Lane, beside: Iterable[asyncio.Task[Any]]) -> None:
        """Something failed: end what runs beside it. A batch that was read meanwhile is as good as never claimed."""
        for task in beside:
            task.cancel()
        for left in await asyncio.gather(*beside, return_exceptions=True):
            if isinstance(left, _Prepared):
                try:
                    await self._forgive(lane, left.ids)
                except (
                    Exception
                ):  # the first error is on its way; that these attempts count costs nothing but a retry
                    log.info("attempts of an unwritten batch stay counted", extra={"mails": len(left.ids)})

    async def index(self, tenant_id: uuid.UUID) -> None:
        """Make what was stored searchable. If it dies here, the next batch or the sweep does it."""
        written = INDEX_AT_ONCE
        while written == INDEX_AT_ONCE:
            async with self._database.unit_of_work(tenant_id) as connection:
                written = await index_messages(connection, tenant_id, limit=INDEX_AT_ONCE)
            reached(Failpoint.INGEST_INDEXED)

    async def raws(self, pending: Sequence[PendingMail]) -> dict[uuid.UUID, memoryview]:
        """The bytes of each mail, within those of its pack. One whose object is missing or has changed is left out: it is
        that mail's trouble, not the inbox's.
        """
        packs: dict[str, list[PendingMail]] = {}
        for mail in pending:
            packs.setdefault(mail.raw_key, []).append(mail)
        raws: dict[uuid.UUID, memoryview] = {}
        for key, mails in packs.items():
            try:
                for stretch in _stretches(mails):
                    start = stretch[0].raw_offset
                    end = max(m.raw_offset + m.raw_length for m in stretch)
                    remembered = self.packs.get(key, start, end - start)
                    data = remembered or memoryview(await self._blobs.get(key, start, end - start))
                    for m in stretch:
                        raw = data[m.raw_offset - start : m.raw_offset - start + m.raw_length]
                        if remembered is not None or m.raw_sha256 in (None, hashlib.sha256(raw).hexdigest()):
                            raws[m.id] = raw
                        else:
                            log.error("stored bytes have changed", extra={"ledger_id": str(m.id)})
            except BlobMissing as missing:
                if missing.reason != BlobMissing.reason:
                    raise  # the whole bucket is gone
        return raws

    async def _read(
        self,
        lane: Lane,
        pending: Sequence[PendingMail],
        raws: Mapping[uuid.UUID, memoryview],
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
                raw_sha256=p.raw_sha256,
            )
            for p in here
        ]
        if here and here[0].attempts >= ATTEMPTS:
            # Claims have equal attempts. These were started three times and never ended: not even the process that
            # counts them outlived them.
            return [await self._killer(lane, mail, order) for mail, order in zip(here, orders, strict=True)]
        if here and here[0].attempts == 0:
            answers = await self._parsers.read(orders, lane.inbox_id, most_deaths=MOST_DEATHS)
        else:  # it failed before: alone, so that it can take nobody along
            answers = [await self._parsers.read_alone(order, lane.inbox_id) for order in orders]
        read: list[_Read] = []
        for mail, order, answer in zip(here, orders, answers, strict=True):
            if isinstance(answer, ReadMail):
                read.append(_Read(mail, answer, TOO_LARGE if order.headers_only else None))
            elif answer.final or mail.attempts + 1 >= ATTEMPTS:
                read.append(await self._card(lane, mail, order, answer))
        missing = Poison("blob_missing", "its bytes are not in the bucket as they were stored")
        read += [
            _Read(p, empty_card(p.raw_sha256 or str(p.id), p.raw_length), missing)
            for p in pending
            if p.id not in raws and p.attempts + 1 >= ATTEMPTS
        ]
        return read

    async def _card(self, lane: Lane, mail: PendingMail, order: ReadOrder, why: Unread) -> _Read:
        answer = await self._parsers.read_alone(replace(order, headers_only=True), lane.inbox_id)
        if isinstance(answer, Unread):
            answer = empty_card(mail.raw_sha256 or str(mail.id), len(order.raw))
        return _Read(mail, answer, Poison(why.reason, why.detail, why.stack_hash))

    async def _killer(self, lane: Lane, mail: PendingMail, order: ReadOrder) -> _Read:
        """The card of a mail that took the whole worker along: once with its headers, and then without touching it."""
        why = Unread("worker_died", "three attempts to read it were started, and the worker ended within each")
        if mail.attempts == ATTEMPTS:
            return await self._card(lane, mail, order, why)
        card = empty_card(mail.raw_sha256 or str(mail.id), len(order.raw))
        return _Read(mail, card, Poison(why.reason, why.detail))

    async def _with_files(self, tenant_id: uuid.UUID, read: Sequence[_Read]) -> list[IncomingMail]:
        files = await self._files.store(tenant_id, [r.read.mail.parts for r in read])
        reached(Failpoint.INGEST_FILES_STORED)
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


def bounded(pending: Sequence[PendingMail]) -> list[PendingMail]:
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
