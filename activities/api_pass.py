"""A sync of a mailbox behind a web API (Gmail, Graph): changes first, then a slice of the first listing, then balance sheets."""

import time
import uuid

from temporalio import activity

from activities.accounts import Accounts
from activities.api_balance import ApiBalance, UnderWay
from activities.api_boxes import ApiBox, boxes, listed
from activities.api_changes import ApiChanges
from activities.api_listing import ApiListing
from activities.api_take import ApiTaker
from activities.api_write_back import ApiWriteBack
from activities.folder_pass import PassReport
from activities.imap_pass import AUDIT_AGAIN, BALANCE_SECONDS, LIST_EVERY, REMEMBERED, Passed
from activities.packing import Packer
from activities.turns import Turn
from contracts.inbound import FetchOrder, ResyncScope
from providers.errors import FolderGone, ProviderError
from providers.mail_api import MailApiSource, RemoteMail
from store.api_folders import list_api_folders
from store.api_ledger import waiting_mails
from store.audits import AuditReason, postpone_audit
from store.folders import park, save_listed
from store.gaps import gaps_of_folder
from store.inbox_state import InboxState, Lease, hold_lease, save_aliases
from store.unit_of_work import Database


class ApiPass:
    """Runs the parts in their order, each under the same lease."""

    def __init__(self, database: Database, packer: Packer, accounts: Accounts) -> None:
        self._database = database
        self._packer = packer
        self._accounts = accounts
        self._listed_at: dict[uuid.UUID, float] = {}
        self._under_way: dict[uuid.UUID, UnderWay] = {}

    async def run(
        self, inbox: InboxState, lease: Lease, order: FetchOrder, turn: Turn, reason: AuditReason | None
    ) -> Passed:
        """All of it. If it dies, the next pass goes on at the cursors. Raises ProviderError, LeaseLost, and the failure
        NotConnected.
        """
        source = self._accounts.mail_api(inbox, ask=True)
        try:
            return await self._all(source, inbox, lease, order, turn, reason)
        finally:
            await source.close()

    async def _all(
        self,
        source: MailApiSource,
        inbox: InboxState,
        lease: Lease,
        order: FetchOrder,
        turn: Turn,
        reason: AuditReason | None,
    ) -> Passed:
        await self._list(source, inbox, lease, now=order.scope is ResyncScope.ALL)
        found = await self._boxes(inbox)
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            gaps = {
                b.folder.id: await gaps_of_folder(connection, inbox.tenant_id, b.folder.id) for b in found
            }
        taker = ApiTaker(
            self._database,
            self._packer,
            source,
            inbox,
            lease,
            run=activity.info().workflow_run_id,
            credited={folder: [g.id for g in of_folder] for folder, of_folder in gaps.items()},
            pass_on=turn.pass_on,
        )
        # Moves between folders make sense only when all are read, also when one was asked for.
        changes = ApiChanges(source, inbox, taker)
        waiting = await self._waiting(inbox, found)  # what fails now is not asked for twice in one pass
        taken = await changes.replay(found)
        for box in found:
            if told := waiting.get(box.folder.id):
                taken += await taker.again(box, told)
        # What the mailbox says has changed since then is known now, and wins.
        await ApiWriteBack(self._database, source, inbox, lease).run(found)
        listing, more = ApiListing(source, taker), False
        for box in await self._boxes(inbox):
            try:
                sliced = await listing.slice(box)
            except FolderGone:
                await self._park(inbox, lease, box)
                continue
            taken += sliced.taken
            more = more or sliced.more
        filling, compared = await self._balanced(source, taker, inbox, lease, order, turn, reason)
        return Passed(
            PassReport(taken.written, taken.changed), len(found), more or filling, compared=compared
        )

    async def _balanced(
        self,
        source: MailApiSource,
        taker: ApiTaker,
        inbox: InboxState,
        lease: Lease,
        order: FetchOrder,
        turn: Turn,
        reason: AuditReason | None,
    ) -> tuple[bool, bool]:
        """Whether something is left to be fetched, and whether every place was compared."""
        one = uuid.UUID(order.folder_id) if order.scope is ResyncScope.FOLDER and order.folder_id else None
        if len(self._under_way) >= REMEMBERED:
            self._under_way.clear()
        under_way = self._under_way.setdefault(inbox.id, UnderWay())
        ends = time.monotonic() + BALANCE_SECONDS
        balance = ApiBalance(source, taker, ends=ends, begun=under_way.listings)
        more, compared = False, True
        try:
            for box in await self._boxes(inbox):
                if one is not None and box.folder.id != one:
                    continue
                try:
                    drawn = box.folder.id in under_way.drawn
                    balanced = await balance.balance(box, reason=None if drawn else reason)
                except FolderGone:
                    await self._park(inbox, lease, box)
                    continue
                more, compared = more or balanced.more, compared and balanced.compared
                if balanced.compared and reason is not None:
                    under_way.drawn.add(box.folder.id)
                await turn.pass_on()
        except ProviderError:
            self._under_way.pop(inbox.id, None)
            if reason is not None:
                async with self._database.unit_of_work(inbox.tenant_id) as connection:
                    await postpone_audit(connection, inbox.tenant_id, inbox.id, seconds=AUDIT_AGAIN)
            raise
        if compared:
            self._under_way.pop(inbox.id, None)
        return more, compared

    async def _waiting(self, inbox: InboxState, found: list[ApiBox]) -> dict[uuid.UUID, list[RemoteMail]]:
        """Mails that could not be fetched before, and those that a person asked for, by the box that fetches them."""
        told: dict[uuid.UUID, list[RemoteMail]] = {}
        if not found:
            return told
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            waiting = await waiting_mails(connection, found[0].place)
        own = {box.folder.id for box in found}
        for mail in waiting:
            box_id = mail.folder_id if mail.folder_id in own else found[0].folder.id
            seen = RemoteMail(mail.id, flags=mail.flags, labels=frozenset(), received_at=mail.internal_date)
            told.setdefault(box_id or found[0].folder.id, []).append(seen)
        return told

    async def _boxes(self, inbox: InboxState) -> list[ApiBox]:
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            return boxes(inbox, await list_api_folders(connection, inbox.tenant_id, inbox.id))

    async def _list(self, source: MailApiSource, inbox: InboxState, lease: Lease, *, now: bool) -> None:
        """Which folders there are. Not asked at every pass: a new mail should not wait for it."""
        if not now and time.monotonic() - self._listed_at.get(inbox.id, -LIST_EVERY) < LIST_EVERY:
            return
        kept, roles = listed(inbox.provider, await source.folders())
        addresses = await source.addresses()
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            await hold_lease(connection, lease)
            await save_listed(
                connection, inbox.tenant_id, inbox.id, kept, synced=[role.value for role in roles]
            )
            await save_aliases(connection, inbox, addresses)
        if len(self._listed_at) >= REMEMBERED:
            self._listed_at.clear()
        self._listed_at[inbox.id] = time.monotonic()

    async def _park(self, inbox: InboxState, lease: Lease, box: ApiBox) -> None:
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            await hold_lease(connection, lease)
            await park(connection, inbox.tenant_id, box.folder.id, "gone")
