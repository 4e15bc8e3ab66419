"""Step `inbound.fetch`: raw bytes of new mail to the bucket, ledger rows and cursor in one transaction.

How a mailbox is read is for `imap_pass.py` and `api_pass.py`; lease, turns, health and the few mails that are ingested at once
are here. What the mail server does wrong is reported, not raised: it is written to the inbox where people see it, and the
workflow decides when to ask again. What our own database or bucket does wrong is raised and tried again by Temporal.
"""

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from temporalio import activity

from activities._edges import edges, failure, name_of
from activities.accounts import API_PROVIDERS, Accounts
from activities.api_pass import ApiPass
from activities.heartbeat import heartbeats
from activities.imap_pass import ImapPass, Passed
from activities.ingestion import Ingestion, live_lane
from activities.packing import LARGEST_MAIL, Packer
from activities.recent_packs import RecentPacks
from activities.turns import FairTurns
from contracts.failpoints import Failpoint, reached
from contracts.failures import SENTENCES
from contracts.inbound import FetchOrder, FetchReport, InboundSteps, ResyncScope
from providers.errors import ProviderError
from providers.imap.pool import ImapPool
from providers.s3.blobs import BlobStore
from store.audits import AuditReason, ask_audit, audits_done
from store.inbox_state import Health, InboxState, Lease, hold_lease, record_ill, record_well, take_lease
from store.ledger import count_pending
from store.sealing import CredentialsUnreadable
from store.unit_of_work import Database

SEATS = 32
# So few mails are ingested at once: two more round trips through Temporal would double the time until people see them.
FEW = 20
FEW_SECONDS = 10.0
# Our own parts failed, not the mail server: Temporal tries again, the inbox's health stays.
OURS = frozenset({"StorageUnavailable", "BlobMissing"})
# Only a person can mend these, so asking again and again would only lock accounts.
FINAL = frozenset({"CredentialsUnreadable", "EgressBlocked"})


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
        self._accounts = accounts
        packer = Packer(blobs, packs)
        self._imap_pass = ImapPass(database, packer, pool, accounts, largest=largest)
        self._api_pass = ApiPass(database, packer, accounts)

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
                        by_api = inbox.provider in API_PROVIDERS
                        one_pass = self._api_pass if by_api else self._imap_pass
                        report = await one_pass.run(inbox, lease, order, turn, reason)
                    except (ProviderError, CredentialsUnreadable) as error:
                        return await self._ill(inbox, lease, error)
                    told = await self._well(inbox, lease, report, order, reason)
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
        total = await self._ingestion.drain(live_lane(lease), seconds=FEW_SECONDS)
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

    async def _well(
        self, inbox: InboxState, lease: Lease, passed: Passed, order: FetchOrder, reason: AuditReason | None
    ) -> FetchReport:
        """Sheets that could not all be drawn up in this pass stay due, also where only this order asked for them."""
        report = passed.report
        audited = reason is not None and order.folder_id is None and passed.compared
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
            elif not passed.compared and order.scope is not ResyncScope.NEW:
                await ask_audit(connection, inbox.tenant_id, inbox.id)
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
