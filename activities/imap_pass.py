"""A sync of a mailbox on an IMAP server: new mail of all folders, then balance sheets that are due and the refill of gaps."""

import time
import uuid
from dataclasses import dataclass

from temporalio import activity

from activities.accounts import Accounts
from activities.folder_pass import FolderPass, PassReport
from activities.folder_refill import FolderRefill
from activities.packing import LARGEST_MAIL, Packer
from activities.turns import Turn
from activities.write_back import look_for_moved, write_back
from contracts.inbound import FetchOrder, ResyncScope
from providers.errors import FolderGone, ProviderError
from providers.imap.pool import ImapPool
from providers.imap.source import ImapSource
from store.audits import AuditReason, postpone_audit
from store.folders import FolderRow, FolderState, ListedFolder, list_folders, park, revive, save_listed
from store.inbox_state import InboxState, Lease, hold_lease
from store.unit_of_work import Database

LIST_EVERY = 600.0  # seconds between two looks at which folders there are
REMEMBERED = 10_000
BALANCE_SECONDS = 20.0  # of one pass, so that new mail never waits for a refill longer (integrity I-14)
AUDIT_AGAIN = 3600.0


@dataclass(frozen=True, slots=True)
class Passed:
    """`more`: there is still something to be read or refilled, and this pass let go of it so that new mail comes first.
    `compared`: every sheet that was asked for is drawn up.
    """

    report: PassReport
    folders: int
    more: bool
    compared: bool = True


class ImapPass:
    """`largest` is the size in octets above which only a mail's header is fetched."""

    def __init__(
        self,
        database: Database,
        packer: Packer,
        pool: ImapPool,
        accounts: Accounts,
        *,
        largest: int = LARGEST_MAIL,
    ) -> None:
        self._database = database
        self._packer = packer
        self._pool = pool
        self._accounts = accounts
        self._largest = largest
        self._listed_at: dict[uuid.UUID, float] = {}

    async def run(
        self, inbox: InboxState, lease: Lease, order: FetchOrder, turn: Turn, reason: AuditReason | None
    ) -> Passed:
        """All of it, under one lease. If it dies, the next pass goes on at the cursors. Raises ProviderError, LeaseLost."""
        account = self._accounts.imap(inbox, ask=True)
        async with self._pool.lease(str(inbox.id), account) as source:
            return await self._all(source, inbox, lease, order, turn, reason)

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
        if one is None:
            await look_for_moved(self._database, source, inbox, lease)
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
