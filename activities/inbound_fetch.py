"""Step `inbound.fetch`: raw bytes of new mail to the bucket, ledger rows and cursor in one transaction, folder by folder.

After the new mail of all folders come balance sheets, when they are due, and the refill of gaps, for a bounded time. What the mail server does wrong is reported, not raised: it is written to the inbox where people see it, and the workflow
decides when to ask again. What our own database or bucket does wrong is raised and tried again by Temporal.
"""

import datetime as dt
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from temporalio import activity

from activities._edges import edges, failure, name_of
from activities.accounts import Accounts
from activities.folder_pass import FolderPass, PassReport
from activities.folder_refill import FolderRefill
from activities.heartbeat import heartbeats
from activities.ingestion import Ingestion, Lane
from activities.packing import LARGEST_MAIL, Packer
from activities.recent_packs import RecentPacks
from activities.turns import FairTurns, Turn
from activities.write_back import write_back
from contracts.failpoints import Failpoint, reached
from contracts.failures import SENTENCES
from contracts.inbound import FetchOrder, FetchReport, InboundSteps, ResyncScope
from providers.errors import FolderGone, ProviderError
from providers.imap.pool import ImapPool
from providers.imap.source import ImapSource
from providers.s3.blobs import BlobStore
from store.audits import AuditReason, audits_done, postpone_audit
from store.folders import FolderRow, FolderState, ListedFolder, list_folders, park, revive, save_listed
from store.inbox_state import Health, InboxState, Lease, hold_lease, record_ill, record_well, take_lease
from store.ledger import count_pending
from store.sealing import CredentialsUnreadable
from store.unit_of_work import Database

LIST_EVERY = 600.0  # seconds between two looks at which folders there are
REMEMBERED = 10_000
BALANCE_SECONDS = 20.0  # of one pass, so that new mail never waits for a refill longer (integrity I-14)
AUDIT_AGAIN = 3600.0
SEATS = 32
# So few mails are ingested at once: two more round trips through Temporal would double the time until people see them.
FEW = 20
FEW_SECONDS = 10.0
# Our own parts failed, not the mail server: Temporal tries again, the inbox's health stays.
OURS = frozenset({"StorageUnavailable", "BlobMissing"})
# Only a person can mend these, so asking again and again would only lock accounts.
FINAL = frozenset({"CredentialsUnreadable", "EgressBlocked"})


@dataclass(frozen=True, slots=True)
class Passed:
    """`more`: there is still something to be refilled, and this pass let go of it so that new mail comes first."""

    report: PassReport
    folders: int
    more: bool


class InboundFetch(InboundSteps):
    """`largest` is the size in octets above which only a mail's header is fetched; `packs` are those of the ingestion
    in this process, which then need not ask the bucket for what was fetched a moment ago. `turns` bounds how many inboxes
    are fetched at a time, and of which tenants. With `ingestion` a few mails become messages in the same step. `under_way` is
    told which inboxes are being fetched.
    """

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        pool: ImapPool,
        accounts: Accounts,
        *,
        largest: int = LARGEST_MAIL,
        packs: RecentPacks | None = None,
        turns: FairTurns | None = None,
        ingestion: Ingestion | None = None,
        under_way: set[uuid.UUID] | None = None,
    ) -> None:
        self._under_way = set() if under_way is None else under_way
        self._turns = turns or FairTurns(SEATS)
        self._ingestion = ingestion
        self._database = database
        self._packer = Packer(blobs, packs)
        self._pool = pool
        self._accounts = accounts
        self._largest = largest
        self._listed_at: dict[uuid.UUID, float] = {}

    @activity.defn(name="inbound.fetch")
    async def fetch(self, order: FetchOrder) -> FetchReport:
        """Runs under a new lease epoch; an older attempt that still runs writes nothing any more. If it dies, the next
        attempt goes on at the cursor. Running it twice fetches nothing twice.
        """
        with edges():
            inbox = await self._accounts.inbox(order.tenant_id, order.inbox_id)
            if inbox.connected_at is None or inbox.paused_at is not None:
                raise failure("NotConnected")
            reason = self._audit_due(inbox, order)
            async with self._database.unit_of_work(inbox.tenant_id) as connection:
                lease = await take_lease(connection, inbox.tenant_id, inbox.id)
            if lease is None:
                raise failure("NotFound")
            reached(Failpoint.FETCH_LEASED)
            async with heartbeats(), self._named(inbox.id):
                async with self._turns.turn(inbox.tenant_id) as turn:
                    try:
                        account = self._accounts.imap(inbox, ask=True)
                        async with self._pool.lease(str(inbox.id), account) as source:
                            report = await self._all(source, inbox, lease, order, turn, reason)
                    except (ProviderError, CredentialsUnreadable) as error:
                        return await self._ill(inbox, lease, error)
                    told = await self._well(
                        inbox, lease, report, audited=reason is not None and order.folder_id is None
                    )
                return await self._few(inbox, lease, told)

    @asynccontextmanager
    async def _named(self, inbox_id: uuid.UUID) -> AsyncIterator[None]:
        self._under_way.add(inbox_id)
        try:
            yield
        finally:
            self._under_way.discard(inbox_id)

    async def _few(self, inbox: InboxState, lease: Lease, told: FetchReport) -> FetchReport:
        """Ingest what waits, when it is little, under the lease of this attempt. If it dies here, the mails are stored and
        wait: the next attempt comes by here again, or `inbound.ingest` does it.
        """
        if self._ingestion is None or not 0 < told.pending <= FEW:
            return told
        lane = Lane(
            inbox.tenant_id,
            inbox.id,
            guard=lambda connection: hold_lease(connection, lease, shared=True),
            run=activity.info().workflow_run_id,
        )
        total = await self._ingestion.drain(lane, seconds=FEW_SECONDS)
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            pending = await count_pending(connection, inbox.tenant_id, inbox.id, historical=False)
        return replace(told, pending=pending, answerable=total.answerable)

    def _audit_due(self, inbox: InboxState, order: FetchOrder) -> AuditReason | None:
        """Why this pass draws up balance sheets, if it does. The row says when, so nothing has to remember it."""
        if order.scope is not ResyncScope.NEW:
            return AuditReason.ASKED
        if inbox.audit_due_at is None or inbox.audit_due_at > dt.datetime.now(dt.UTC):
            return None
        return AuditReason.ASKED if inbox.audit_asked else AuditReason.NIGHTLY

    async def _all(
        self,
        source: ImapSource,
        inbox: InboxState,
        lease: Lease,
        order: FetchOrder,
        turn: Turn,
        reason: AuditReason | None,
    ) -> Passed:
        await self._list(source, inbox, lease, now=order.scope is ResyncScope.ALL)
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            folders = await list_folders(connection, inbox.tenant_id, inbox.id)
        whole = order.scope is not ResyncScope.NEW
        one = uuid.UUID(order.folder_id) if order.scope is ResyncScope.FOLDER and order.folder_id else None
        report, passed = PassReport(), []
        one_pass = FolderPass(
            self._database,
            self._packer,
            source,
            inbox,
            lease,
            largest=self._largest,
            run=activity.info().workflow_run_id,
            pass_on=turn.pass_on,
        )
        for folder in folders:
            if (one is not None and folder.id != one) or not folder.synced:
                continue
            if folder.state == FolderState.PARKED and not await self._revived(
                folder, inbox, lease, asked=whole
            ):
                continue
            try:
                # A sheet is only as good as what is known of deletions: they are read before it.
                report += await one_pass.sync(folder, whole=reason is not None, flags=order.flags)
                await write_back(self._database, source, inbox, lease, folder.id)
            except FolderGone:
                await self._park(inbox, lease, folder)
                continue
            passed.append(folder)
        refill = FolderRefill(
            self._database, source, inbox, lease, one_pass, ends=time.monotonic() + BALANCE_SECONDS
        )
        more = False
        try:
            for folder in passed:
                try:
                    balanced = await refill.balance(folder.id, reason=reason)
                except FolderGone:
                    await self._park(inbox, lease, folder)
                    continue
                report += PassReport(balanced.written)
                more = more or balanced.more
                await turn.pass_on()
        except ProviderError:
            if reason is not None:
                async with self._database.unit_of_work(inbox.tenant_id) as connection:
                    await postpone_audit(connection, inbox.tenant_id, inbox.id, seconds=AUDIT_AGAIN)
            raise
        return Passed(report, len(passed), more)

    async def _park(self, inbox: InboxState, lease: Lease, folder: FolderRow) -> None:
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            await hold_lease(connection, lease)
            await park(connection, inbox.tenant_id, folder.id, "gone")

    async def _list(self, source: ImapSource, inbox: InboxState, lease: Lease, *, now: bool) -> None:
        """Which folders there are. Not asked at every pass: a new mail should not wait for it."""
        if not now and time.monotonic() - self._listed_at.get(inbox.id, -LIST_EVERY) < LIST_EVERY:
            return
        listed = [ListedFolder(f.path, f.name, f.role.value) for f in await source.folders() if f.selectable]
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            await hold_lease(connection, lease)
            await save_listed(connection, inbox.tenant_id, inbox.id, listed)
        if len(self._listed_at) >= REMEMBERED:
            self._listed_at.clear()
        self._listed_at[inbox.id] = time.monotonic()

    async def _revived(self, folder: FolderRow, inbox: InboxState, lease: Lease, *, asked: bool) -> bool:
        """A folder whose UIDVALIDITY never rests is looked at again when a person asks for it."""
        if not asked or folder.state_reason == "gone":
            return False
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            await hold_lease(connection, lease)
            await revive(connection, inbox.tenant_id, folder.id)
        return True

    async def _well(self, inbox: InboxState, lease: Lease, passed: Passed, *, audited: bool) -> FetchReport:
        report = passed.report
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            await hold_lease(connection, lease)
            opened = await record_well(connection, inbox.tenant_id, inbox.id)
            if audited or inbox.audit_due_at is None:
                await audits_done(
                    connection,
                    inbox.tenant_id,
                    inbox.id,
                    due=inbox.audit_due_at,
                    now=dt.datetime.now(dt.UTC),
                )
            pending = await count_pending(connection, inbox.tenant_id, inbox.id, historical=False)
        reached(Failpoint.FETCH_RECORDED)
        return FetchReport(
            stored=report.written.stored,
            vanished=report.written.vanished,
            quarantined=report.written.quarantined,
            flags_changed=report.flags_changed,
            folders=passed.folders,
            pending=pending,
            health=Health.OK.value,
            more=passed.more or opened,
        )

    async def _ill(self, inbox: InboxState, lease: Lease, error: Exception) -> FetchReport:
        name = name_of(error) or "ProtocolBroken"
        if name in OURS:
            raise error
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            await hold_lease(connection, lease)
            health = await record_ill(
                connection,
                inbox.tenant_id,
                inbox.id,
                sentence=error.sentence if isinstance(error, ProviderError) else SENTENCES[name],
                refused=name == "AuthFailed",
                final=name in FINAL,
            )
            pending = await count_pending(connection, inbox.tenant_id, inbox.id, historical=False)
        after = error.retry_after if isinstance(error, ProviderError) else None
        return FetchReport(
            stored=0,
            vanished=0,
            quarantined=0,
            flags_changed=0,
            folders=0,
            pending=pending,
            health=health.value,
            failure=name,
            retry_seconds=None if after is None else int(after) + 1,
        )
