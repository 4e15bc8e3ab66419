"""Steps `connect.verify`, `connect.discover`, `connect.fail`: log in, learn the folders, set the first cursors.

Mailboxes behind a web API have steps of their own for the first two (`activities/connect_api.py`).

What a server refuses is an answer with a name, not an error: a person is waiting to read it.
"""

import asyncio
import datetime as dt
import uuid
from collections.abc import Awaitable

from temporalio import activity

from activities._edges import edges, failure, name_of
from activities.accounts import API_PROVIDERS, Accounts
from activities.connect_api import ApiConnecting
from activities.heartbeat import heartbeats
from contracts.connect import ConnectCheck, ConnectFailure, ConnectReport, ConnectSteps, DiscoverReport
from contracts.failpoints import Failpoint, reached
from contracts.failures import SENTENCES
from contracts.refs import InboxRef
from providers.egress import EgressPolicy, blur
from providers.errors import FolderGone, ProviderError
from providers.imap.pool import ImapPool
from providers.imap.source import ImapSource
from providers.smtp.sender import SmtpSender
from store.backfill import UNDER_WAY
from store.folders import FolderRow, ListedFolder, list_folders, park, save_listed, set_first_cursor
from store.inbox_state import InboxState, record_connected, record_ill
from store.sealing import CredentialsUnreadable
from store.unit_of_work import Database

NAMED_FOLDERS = 10
REFUSED = frozenset({"AuthFailed", "ConsentNeeded", "CredentialsUnreadable", "OtherMailbox"})


class Connecting(ConnectSteps):
    """`policy` says where inboxes may connect to."""

    def __init__(self, database: Database, pool: ImapPool, accounts: Accounts, policy: EgressPolicy) -> None:
        self._database = database
        self._pool = pool
        self._accounts = accounts
        self._policy = policy
        self._api = ApiConnecting(database, accounts)

    @activity.defn(name="connect.verify")
    async def verify(self, ref: InboxRef) -> ConnectReport:
        """Logs in to both servers at once and out again. Nothing is read, sent or written; twice is twice a login."""
        with edges():
            inbox = await self._accounts.inbox(ref.tenant_id, ref.inbox_id)
            async with heartbeats():
                if inbox.provider in API_PROVIDERS:
                    return ConnectReport(await self._api.verify(inbox))
                names = await asyncio.gather(self._tried(self._imap(inbox)), self._tried(self._smtp(inbox)))
            return ConnectReport((ConnectCheck("imap", names[0]), ConnectCheck("smtp", names[1])))

    @activity.defn(name="connect.discover")
    async def discover(self, ref: InboxRef) -> DiscoverReport:
        """Folders, first cursors, and the inbox is connected. If it dies half-way, the next attempt keeps the cursors
        that are set: what came in between is live mail.
        """
        with edges():
            inbox = await self._accounts.inbox(ref.tenant_id, ref.inbox_id)
            over_api = inbox.provider in API_PROVIDERS
            async with heartbeats():
                await (self._api.discover(inbox) if over_api else self._discover(inbox))
            async with self._database.unit_of_work(inbox.tenant_id) as connection:
                await record_connected(connection, inbox.tenant_id, inbox.id)
                folders = await list_folders(connection, inbox.tenant_id, inbox.id)
            reached(Failpoint.CONNECT_RECORDED)
            synced = [f for f in folders if f.synced]
            return DiscoverReport(
                folders=len(folders),
                synced=tuple(str(f.id) for f in synced[:NAMED_FOLDERS]),
                # Behind a web API the sync itself lists what is older.
                backfill=not over_api and any(f.backfill_state in UNDER_WAY for f in synced),
            )

    @activity.defn(name="connect.fail")
    async def fail(self, report: ConnectFailure) -> None:
        """Writes the reason to the inbox, which stays disconnected. Twice is once."""
        with edges():
            tenant_id, inbox_id = uuid.UUID(report.tenant_id), uuid.UUID(report.inbox_id)
            sentence = SENTENCES.get(report.failure, SENTENCES["ProtocolBroken"])
            async with self._database.unit_of_work(tenant_id) as connection:
                await record_ill(
                    connection,
                    tenant_id,
                    inbox_id,
                    sentence=sentence,
                    refused=report.failure in REFUSED,
                    connected=False,
                )

    async def _discover(self, inbox: InboxState) -> None:
        async with self._pool.lease(str(inbox.id), self._accounts.imap(inbox, ask=True)) as source:
            listed = [f for f in await source.folders() if f.selectable]
            async with self._database.unit_of_work(inbox.tenant_id) as connection:
                await save_listed(
                    connection,
                    inbox.tenant_id,
                    inbox.id,
                    [ListedFolder(f.path, f.name, f.role.value) for f in listed],
                )
                folders = await list_folders(connection, inbox.tenant_id, inbox.id)
            reached(Failpoint.CONNECT_FOLDERS_SAVED)
            for folder in folders:
                if folder.synced and folder.uidvalidity is None:
                    await self._first_cursor(source, inbox, folder)

    async def _first_cursor(self, source: ImapSource, inbox: InboxState, folder: FolderRow) -> None:
        try:
            state = await source.examine(folder.path)
        except FolderGone:
            async with self._database.unit_of_work(inbox.tenant_id) as connection:
                await park(connection, inbox.tenant_id, folder.id, "gone")
            return
        uids = await source.uids()
        horizon = inbox.created_at - dt.timedelta(days=inbox.backfill_days) if inbox.backfill_days else None
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            await set_first_cursor(
                connection,
                inbox.tenant_id,
                folder.id,
                uidvalidity=state.uidvalidity,
                last_uid=uids[-1] if uids else 0,
                backfill_from=horizon,
            )
        reached(Failpoint.CONNECT_CURSOR_SET)

    async def _imap(self, inbox: InboxState) -> None:
        # A connection of its own: a pooled one would prove an old password.
        async with ImapSource(self._accounts.imap(inbox, ask=True), self._policy):
            return

    async def _smtp(self, inbox: InboxState) -> None:
        await SmtpSender(self._accounts.smtp(inbox), self._policy).verify()

    async def _tried(self, attempt: Awaitable[None]) -> str | None:
        """The name of what went wrong, or None."""
        try:
            await attempt
        except (ProviderError, CredentialsUnreadable) as error:
            name = name_of(error)
            if name is None:
                raise failure("ProtocolBroken") from None
            if isinstance(error, ProviderError):
                await blur()  # a person reads this at once; how long it took must not tell what stands behind our walls
            return name
        return None
