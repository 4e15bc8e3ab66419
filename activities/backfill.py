"""Steps `backfill.plan` and `backfill.step`: a folder's history, newest first, stored and ingested stretch by stretch.

Each stretch is written in one transaction with the cursor that moves down; while it is ingested the next are fetched,
so what people see is complete but for a few stretches. If it dies, one stretch is repeated and finds its rows there, and what was
stored and not ingested is the first work of the next step.
"""

import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing

from temporalio import activity

from activities._edges import edges, failure, name_of, taken_over
from activities.accounts import Accounts
from activities.beside import Beside
from activities.heartbeat import heartbeats
from activities.ingestion import Ingestion, Lane
from activities.packing import LARGEST_MAIL, MOST_MAILS, Fetched, Packer, Stretch, prefetched, stretches
from activities.turns import FairTurns
from contracts.backfill import BackfillProgress, BackfillSteps
from contracts.failpoints import Failpoint, reached
from contracts.refs import FolderRef
from providers.errors import FolderGone, ProviderError
from providers.imap.pool import ImapPool
from providers.imap.source import ImapSource
from providers.imap.values import MailMeta
from providers.s3.blobs import BlobStore
from store.backfill import (
    BackfillLease,
    BackfillRow,
    BackfillState,
    advance_backfill,
    begin_backfill,
    finish_backfill,
    hold_backfill,
    read_backfill,
    take_backfill_lease,
    tell_progress,
)
from store.inbox_state import InboxState, LeaseLost
from store.ledger import Place, known_uids, write_rows
from store.sealing import CredentialsUnreadable
from store.unit_of_work import Database

STEP_SECONDS = 30.0
TELL_EVERY = 2.0  # seconds between two progress events
WINDOW = 1_000
AHEAD = 16 * 1024 * 1024  # octets of stored mail that may wait for their ingestion: they are still in memory then
SEATS = 2  # stretches at a time
FIRST_MAILS = 25  # in the first stretch of a step: while it is ingested, the next is fetched
OURS = frozenset({"StorageUnavailable", "BlobMissing"})


class _StepClock:
    """Ends a step between two stretches, after one at the least. `is_up` once it did."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._begun = False
        self.is_up = False

    def in_time(self, cut: Iterable[Stretch]) -> Iterator[Stretch]:
        for stretch in cut:
            if self._begun and time.monotonic() > self._ends:
                self.is_up = True
                return
            self._begun = True
            yield stretch


class Backfilling(BackfillSteps):
    """`pool` may be the one that live sync uses: it keeps a connection free for it."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        pool: ImapPool,
        accounts: Accounts,
        ingestion: Ingestion,
        *,
        step_seconds: float = STEP_SECONDS,
        largest: int = LARGEST_MAIL,
        turns: FairTurns | None = None,
    ) -> None:
        self._turns = turns or FairTurns(SEATS)
        self._database = database
        self._packer = Packer(blobs, ingestion.packs)
        self._pool = pool
        self._accounts = accounts
        self._ingestion = ingestion
        self._step_seconds = step_seconds
        self._largest = largest

    @activity.defn(name="backfill.plan")
    async def plan(self, ref: FolderRef) -> BackfillProgress:
        """Counts; writes the total and the state. Repeats harmlessly: the cursor and the start stay."""
        with edges():
            row = await self._row(ref)
            if row.state not in (BackfillState.WAITING, BackfillState.RUNNING):
                return _progress(row)
            if row.connected_at is None or row.paused_at is not None:
                return _progress(row, failure_name="NotConnected")
            async with heartbeats():
                try:
                    total = await self._count(ref, row)
                except (ProviderError, CredentialsUnreadable) as error:
                    return _troubled(row, error)
            tenant_id = uuid.UUID(ref.tenant_id)
            async with self._database.unit_of_work(tenant_id) as connection:
                await begin_backfill(
                    connection, tenant_id, row.id, total=total + row.backfill_done, horizon=row.horizon
                )
                await tell_progress(connection, tenant_id, row.id)
            reached(Failpoint.BACKFILL_PLANNED)
            return _progress(await self._row(ref))

    @activity.defn(name="backfill.step")
    async def step(self, ref: FolderRef) -> BackfillProgress:
        """About half a minute of work under a new epoch of the folder. Ends early when the row says pause or cancel."""
        with edges():
            row = await self._row(ref)
            if row.state is not BackfillState.RUNNING:
                return _progress(row)
            if row.connected_at is None or row.paused_at is not None:
                return _progress(row, failure_name="NotConnected")
            tenant_id = uuid.UUID(ref.tenant_id)
            async with self._database.unit_of_work(tenant_id) as connection:
                lease = await take_backfill_lease(connection, tenant_id, row)
            reached(Failpoint.BACKFILL_LEASED)
            async with heartbeats():
                try:
                    await self._work(ref, row, lease)
                except (ProviderError, CredentialsUnreadable) as error:
                    return _troubled(await self._row(ref), error)
                except LeaseLost:
                    taken_over()
                    after = await self._row(ref)
                    if after.state is BackfillState.RUNNING:
                        raise  # another step took over; else somebody paused or cancelled it, which is an answer
                    return _progress(after)
            return _progress(await self._row(ref))

    async def _row(self, ref: FolderRef) -> BackfillRow:
        tenant_id = uuid.UUID(ref.tenant_id)
        async with self._database.unit_of_work(tenant_id) as connection:
            row = await read_backfill(connection, tenant_id, uuid.UUID(ref.folder_id))
        if row is None:
            raise failure("NotFound")
        return row

    async def _count(self, ref: FolderRef, row: BackfillRow) -> int:
        """How many mails below the cursor are young enough. Looks downwards until a whole window is too old."""
        inbox = await self._accounts.inbox(ref.tenant_id, ref.inbox_id)
        count = 0
        async with self._pool.lease(str(inbox.id), self._accounts.imap(inbox)) as source:
            uids = await self._below(source, row)
            for end in range(len(uids), 0, -WINDOW):
                young = _young((await source.sizes(uids[max(0, end - WINDOW) : end])), row.horizon)
                if not young:
                    break
                count += len(young)
        return count

    async def _below(self, source: ImapSource, row: BackfillRow) -> list[int]:
        state = await source.examine(row.path)
        if state.uidvalidity != row.uidvalidity:
            raise LeaseLost  # the live sync lists the folder anew; this cursor means nothing any more
        return [uid for uid in await source.uids() if uid < row.below]

    async def _work(self, ref: FolderRef, row: BackfillRow, lease: BackfillLease) -> None:
        inbox = await self._accounts.inbox(ref.tenant_id, ref.inbox_id)
        place = Place(inbox.tenant_id, inbox.id, row.id, lease.uidvalidity)
        async with self._ingestion.searchable(place.tenant_id) as search:
            # What an earlier step stored and did not get to ingest comes first.
            await self._ingest(place, lease, search)
            ingesting = Beside(lambda: self._ingest(place, lease, search, ingesting.took), ahead=AHEAD)
            async with ingesting:
                whole = await self._fetch(inbox, row, place, lease, ingesting)
        if not whole:
            await self._tell(place, lease)
            return
        async with self._database.unit_of_work(place.tenant_id) as connection:
            await hold_backfill(connection, lease)
            await finish_backfill(connection, lease)
            await tell_progress(connection, place.tenant_id, place.folder_id)
        reached(Failpoint.BACKFILL_FINISHED)

    async def _fetch(
        self, inbox: InboxState, row: BackfillRow, place: Place, lease: BackfillLease, ingesting: Beside
    ) -> bool:
        """Store stretch after stretch, a few ahead of those that are ingested, until all is stored (True) or time is up."""
        clock = _StepClock(self._step_seconds)
        told, first = 0.0, FIRST_MAILS
        async with self._pool.lease(str(inbox.id), self._accounts.imap(inbox)) as source:
            uids = await self._below(source, row)
            for end in range(len(uids), 0, -WINDOW):
                window = uids[max(0, end - WINDOW) : end]
                metas = await source.sizes(window)
                young = _young(metas, row.horizon)
                if not young:
                    break
                async with self._database.unit_of_work(place.tenant_id) as connection:
                    known = await known_uids(connection, place, young[0], young[-1])
                wanted = [uid for uid in reversed(young) if uid not in known]
                cut = clock.in_time(stretches(wanted, metas, largest=self._largest, first=first))
                first = MOST_MAILS
                async with aclosing(prefetched(source, cut)) as fetching:
                    async for stretch, fetched in fetching:
                        async with self._turns.turn(place.tenant_id):
                            octets = await self._store(fetched, stretch, metas, place, lease)
                            reached(Failpoint.BACKFILL_STRETCH_STORED)
                        ingesting.tell(octets)
                        await ingesting.room()
                        if time.monotonic() - told > TELL_EVERY:
                            await self._tell(place, lease)
                            told = time.monotonic()
                if clock.is_up:
                    return False
                await self._passed(lease, window[0])
                reached(Failpoint.BACKFILL_WINDOW_PASSED)
        return True

    async def _store(
        self,
        fetched: Fetched,
        stretch: Stretch,
        metas: dict[int, MailMeta],
        place: Place,
        lease: BackfillLease,
    ) -> int:
        """Octets of mail that wait to be ingested now."""
        rows = await self._packer.pack(place.tenant_id, fetched, metas, is_history=lambda _: True)
        async with self._database.unit_of_work(place.tenant_id) as connection:
            await self._running(await hold_backfill(connection, lease))
            await write_rows(connection, place, rows, run=activity.info().workflow_run_id)
            await advance_backfill(connection, lease, uid=min(stretch.every), done=len(stretch.every))
            reached(Failpoint.BACKFILL_BEFORE_COMMIT)
        return sum(row.raw_length for row in rows)

    async def _passed(self, lease: BackfillLease, lowest: int) -> None:
        """The whole window is done, with the mails in it that are too old or were there already."""
        async with self._database.unit_of_work(lease.tenant_id) as connection:
            await self._running(await hold_backfill(connection, lease))
            await advance_backfill(connection, lease, uid=lowest, done=0)

    async def _running(self, state: BackfillState) -> None:
        if state is not BackfillState.RUNNING:
            raise LeaseLost  # paused or cancelled: nothing of this transaction is written

    async def _ingest(
        self, place: Place, lease: BackfillLease, search: Beside, took: Callable[[int], None] | None = None
    ) -> None:
        lane = Lane(
            place.tenant_id,
            place.inbox_id,
            guard=lambda connection: hold_backfill(connection, lease, shared=True),
            historical=True,
            folder_id=place.folder_id,
            run=activity.info().workflow_run_id,
            took=took,
        )
        await self._ingestion.drain(lane, seconds=self._step_seconds, search=search)
        reached(Failpoint.BACKFILL_STRETCH_INGESTED)

    async def _tell(self, place: Place, lease: BackfillLease) -> None:
        async with self._database.unit_of_work(place.tenant_id) as connection:
            await hold_backfill(connection, lease)
            await tell_progress(connection, place.tenant_id, place.folder_id)


def _young(metas: dict[int, MailMeta], horizon: dt.datetime) -> list[int]:
    """UIDs of mails that are not older than the horizon, ascending; one without a date counts as young."""
    return sorted(m.uid for m in metas.values() if m.internal_date is None or m.internal_date >= horizon)


def _progress(row: BackfillRow, *, failure_name: str | None = None) -> BackfillProgress:
    return BackfillProgress(
        state=row.backfill_state,
        done=row.backfill_done,
        total=row.backfill_total,
        eta_seconds=_eta(row),
        failure=failure_name,
    )


def _eta(row: BackfillRow) -> int | None:
    if row.backfill_started_at is None or not row.backfill_done:
        return None
    seconds = (dt.datetime.now(dt.UTC) - row.backfill_started_at).total_seconds()
    return int(seconds / row.backfill_done * max(row.backfill_total - row.backfill_done, 0)) + 1


def _troubled(row: BackfillRow, error: Exception) -> BackfillProgress:
    """The server's trouble is an answer; the workflow waits. The inbox's health is kept by the live sync."""
    name = name_of(error) or "ProtocolBroken"
    if name in OURS:
        raise error
    if isinstance(error, FolderGone):
        name = "FolderGone"
    after = error.retry_after if isinstance(error, ProviderError) else None
    return BackfillProgress(
        state=row.backfill_state,
        done=row.backfill_done,
        total=row.backfill_total,
        failure=name,
        retry_seconds=None if after is None else int(after) + 1,
    )
