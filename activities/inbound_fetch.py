"""Step `inbound.fetch`: raw bytes of new mail to the bucket, ledger rows and cursor in one transaction, folder by folder.

What the mail server does wrong is reported, not raised: it is written to the inbox where people see it, and the workflow
decides when to ask again. What our own database or bucket does wrong is raised and tried again by Temporal.
"""

import time
import uuid

from temporalio import activity

from activities._edges import edges, failure, name_of
from activities.accounts import Accounts
from activities.folder_pass import FolderPass, PassReport
from activities.heartbeat import heartbeats
from activities.packing import LARGEST_MAIL, Packer
from activities.recent_packs import RecentPacks
from activities.turns import FairTurns, Turn
from contracts.failpoints import Failpoint, reached
from contracts.failures import SENTENCES
from contracts.inbound import FetchOrder, FetchReport, InboundSteps, ResyncScope
from providers.errors import FolderGone, ProviderError
from providers.imap.pool import ImapPool
from providers.imap.source import ImapSource
from providers.s3.blobs import BlobStore
from store.folders import FolderRow, FolderState, ListedFolder, list_folders, park, revive, save_listed
from store.inbox_state import Health, InboxState, Lease, hold_lease, record_ill, record_well, take_lease
from store.ledger import count_pending
from store.sealing import CredentialsUnreadable
from store.unit_of_work import Database

LIST_EVERY = 600.0  # seconds between two looks at which folders there are
REMEMBERED = 10_000
SEATS = 32
# Our own parts failed, not the mail server: Temporal tries again, the inbox's health stays.
OURS = frozenset({"StorageUnavailable", "BlobMissing"})
# Only a person can mend these, so asking again and again would only lock accounts.
FINAL = frozenset({"CredentialsUnreadable", "EgressBlocked"})


class InboundFetch(InboundSteps):
    """`largest` is the size in octets above which only a mail's header is fetched; `packs` are those of the ingestion
    in this process, which then need not ask the bucket for what was fetched a moment ago. `turns` bounds how many inboxes
    are fetched at a time, and of which tenants.
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
    ) -> None:
        self._turns = turns or FairTurns(SEATS)
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
            async with self._database.unit_of_work(inbox.tenant_id) as connection:
                lease = await take_lease(connection, inbox.tenant_id, inbox.id)
            if lease is None:
                raise failure("NotFound")
            reached(Failpoint.FETCH_LEASED)
            async with heartbeats(), self._turns.turn(inbox.tenant_id) as turn:
                try:
                    account = self._accounts.imap(inbox)
                    async with self._pool.lease(str(inbox.id), account) as source:
                        report, folders = await self._all(source, inbox, lease, order, turn)
                except (ProviderError, CredentialsUnreadable) as error:
                    return await self._ill(inbox, lease, error)
                return await self._well(inbox, lease, report, folders)

    async def _all(
        self, source: ImapSource, inbox: InboxState, lease: Lease, order: FetchOrder, turn: Turn
    ) -> tuple[PassReport, int]:
        await self._list(source, inbox, lease, now=order.scope is ResyncScope.ALL)
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            folders = await list_folders(connection, inbox.tenant_id, inbox.id)
        whole = order.scope is not ResyncScope.NEW
        one = uuid.UUID(order.folder_id) if order.scope is ResyncScope.FOLDER and order.folder_id else None
        report, passed = PassReport(), 0
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
                report += await one_pass.sync(folder, whole=whole, flags=order.flags)
            except FolderGone:
                async with self._database.unit_of_work(inbox.tenant_id) as connection:
                    await hold_lease(connection, lease)
                    await park(connection, inbox.tenant_id, folder.id, "gone")
                continue
            passed += 1
        return report, passed

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

    async def _well(self, inbox: InboxState, lease: Lease, report: PassReport, folders: int) -> FetchReport:
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            await hold_lease(connection, lease)
            await record_well(connection, inbox.tenant_id, inbox.id)
            pending = await count_pending(connection, inbox.tenant_id, inbox.id, historical=False)
        reached(Failpoint.FETCH_RECORDED)
        return FetchReport(
            stored=report.written.stored,
            vanished=report.written.vanished,
            quarantined=report.written.quarantined,
            flags_changed=report.flags_changed,
            folders=folders,
            pending=pending,
            health=Health.OK.value,
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
