"""Step `inbound.watch`: wait on a mailbox until there is something to fetch, for hours, without a line of history.

INBOX is watched with IDLE on a connection of its own; every so often, and all the time where the server has no IDLE, the
synced folders are looked at and compared with how they looked before. A mail that IDLE announces is taken at once.
"""

import asyncio
import datetime as dt
import logging
import time
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from temporalio import activity

from activities._edges import edges
from activities.accounts import API_PROVIDERS, Accounts
from activities.heartbeat import heartbeats
from activities.inbound_at_once import InboundAtOnce, Taken
from activities.parser_pool import ChildrenDoNotStart
from activities.push_poll import GRACE, until_next_look
from activities.until_stopping import until_stopping
from contracts.inbound import InboundSteps, WakeReason, WatchOrder, WatchReport
from providers.errors import FolderGone, ProviderError
from providers.imap.account import ImapAccount
from providers.imap.pool import ImapPool
from providers.imap.source import ImapSource
from providers.imap.values import FlagCursor
from store.folders import FolderRow, FolderState, list_folders
from store.gaps import any_open_gap
from store.inbox_state import InboxState, LeaseLost
from store.ledger import count_pending
from store.sealing import CredentialsUnreadable
from store.unit_of_work import Database

log = logging.getLogger(__name__)

ENDS = {"flags": WakeReason.FLAGS, "closed": WakeReason.CLOSED}
# Seconds for which a watch that took mail itself goes on listening: at a mail a minute the passes stay within what an inbox may
# have of them in an hour, and no mail waits for its turn.
LISTEN_ON = 60.0
# The newest mails of a folder whose flags are compared where the server cannot say what changed.
FLAGS_COMPARED = 2_000


@dataclass(frozen=True, slots=True)
class _Look:
    """How a folder looks. `mark` is its modification sequence, or a hash of flags where it has none."""

    uidvalidity: int
    next_uid: int | None
    exists: int
    mark: int


class InboundWatch(InboundSteps):
    """`poll_seconds` is the longest time between two looks at all folders; `pool` should be apart from the one that
    fetches, as each watched inbox holds a connection for hours. With `at_once` new mail is taken by the watch itself. `notice` is
    the time that an announcement of a web API may take.
    """

    def __init__(
        self,
        database: Database,
        pool: ImapPool,
        accounts: Accounts,
        *,
        at_once: InboundAtOnce | None = None,
        poll_seconds: float = 300.0,
        notice: dt.timedelta = GRACE,
    ) -> None:
        self._notice = notice
        self._at_once = at_once
        self._database = database
        self._pool = pool
        self._accounts = accounts
        self._poll_seconds = poll_seconds

    @activity.defn(name="inbound.watch")
    async def watch(self, order: WatchOrder) -> WatchReport:
        """Returns as soon as there is reason to. If it dies, mail waits until the next attempt: each one begins with a
        look whether something came in meanwhile. Cancelled, it lets go of its connection at once.
        """
        with edges():
            inbox = await self._accounts.inbox(order.tenant_id, order.inbox_id)
            if inbox.connected_at is None or inbox.paused_at is not None:
                return WatchReport(WakeReason.NOT_CONNECTED)
            if inbox.provider in API_PROVIDERS:
                # There is nothing to wait on: the workflow looks every so often.
                seconds = await until_next_look(
                    self._database, inbox, often=int(self._poll_seconds), grace=self._notice
                )
                return WatchReport(WakeReason.UNSUPPORTED, poll_seconds=seconds)
            async with heartbeats():
                try:
                    account = self._accounts.imap(inbox)
                    return await until_stopping(self._wait(inbox, account, float(order.seconds)))
                except (ProviderError, CredentialsUnreadable):
                    return WatchReport(WakeReason.CLOSED)  # the next fetch finds out why and tells the inbox

    async def _wait(self, inbox: InboxState, account: ImapAccount, seconds: float) -> WatchReport:
        if inbox.audit_due_at is not None:
            # The next pass draws up the balance sheets: an idle inbox is woken for that and for nothing else.
            due = (inbox.audit_due_at - dt.datetime.now(dt.UTC)).total_seconds()
            seconds = min(seconds, max(due, 0.0))
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            if await any_open_gap(connection, inbox.tenant_id, inbox.id):
                seconds = min(seconds, self._poll_seconds)  # opened behind our back, or not to be filled just now
            if await count_pending(connection, inbox.tenant_id, inbox.id, historical=False):
                return WatchReport(WakeReason.NEW)  # an attempt before this one died with mail in its hands
        ends = time.monotonic() + seconds
        async with self._pool.lease(f"watch/{inbox.id}", account) as source:
            folders = await self._synced(inbox)
            before: dict[str, _Look] | None = None
            while True:
                reason, before = await self._compare(source, folders, before)
                if reason is not None:
                    return WatchReport(reason)
                left = ends - time.monotonic()
                if left <= 0:
                    return WatchReport(WakeReason.TIMEOUT)
                pause = min(left, self._poll_seconds)
                watched = next((f for f in folders if f.path in before), None)
                if not source.can_idle or watched is None:
                    await asyncio.sleep(pause)
                    continue
                look = before[watched.path]
                state = await source.examine(watched.path)
                if state.exists != look.exists or state.uidnext != look.next_uid:
                    return WatchReport(WakeReason.NEW)  # it came while the other folders were looked at
                wake = await source.idle(pause)
                if wake.reason == "new":
                    return await self._heard(inbox, watched, source, ends=ends)
                if wake.reason in ENDS:
                    return WatchReport(ENDS[wake.reason])

    async def _heard(
        self, inbox: InboxState, folder: FolderRow, source: ImapSource, *, ends: float
    ) -> WatchReport:
        """Mail was announced: take it and listen on for a while, so that many mails share the pass that follows. Where
        somebody is to be answered automatically, the workflow is told at once.
        """
        ends = min(ends, time.monotonic() + min(LISTEN_ON, self._poll_seconds))  # the other folders are looked at then
        while True:
            taken = await self._take(inbox, folder, source)
            if taken is None or taken.answerable:
                return WatchReport(WakeReason.NEW, taken.answerable if taken else 0)
            # What was announced while the mail was fetched is not announced again.
            while (await source.examine(folder.path)).uidnext == taken.last_uid + 1:
                wake = await source.idle(max(0.0, ends - time.monotonic()))
                if wake.reason == "new":
                    break
                return WatchReport(ENDS.get(wake.reason, WakeReason.NEW))

    async def _take(self, inbox: InboxState, folder: FolderRow, source: ImapSource) -> Taken | None:
        """What was announced, at once. Whatever goes wrong with it is for the pass that follows to meet and to tell."""
        if self._at_once is None:
            return None
        try:
            return await self._at_once.take(inbox, folder.id, source)
        except (ProviderError, SQLAlchemyError, LeaseLost, ChildrenDoNotStart) as error:
            log.info("new mail was not taken at once", extra={"kind": type(error).__name__})
            return None

    async def _synced(self, inbox: InboxState) -> list[FolderRow]:
        async with self._database.unit_of_work(inbox.tenant_id) as connection:
            folders = await list_folders(connection, inbox.tenant_id, inbox.id)
        return [f for f in folders if f.synced and f.state != FolderState.PARKED]

    async def _compare(
        self, source: ImapSource, folders: list[FolderRow], before: dict[str, _Look] | None
    ) -> tuple[WakeReason | None, dict[str, _Look]]:
        """The first look is compared with the cursors of record, each later one with the look before it."""
        looks: dict[str, _Look] = {}
        reason: WakeReason | None = None
        for folder in folders:
            try:
                state = await source.examine(folder.path)
            except FolderGone:
                if before is not None and folder.path in before:
                    reason = reason or WakeReason.NEW
                continue
            mark = state.highest_modseq
            if mark is None:
                mark = await self._flags_mark(source, state.uidnext, state.exists)
            look = _Look(state.uidvalidity, state.uidnext, state.exists, mark)
            looks[folder.path] = look
            if before is None:
                if folder.uidvalidity != state.uidvalidity or await self._has_new(
                    source, folder, state.uidnext
                ):
                    return WakeReason.NEW, looks
                if state.highest_modseq is not None and folder.highest_modseq not in (None, mark):
                    reason = reason or WakeReason.FLAGS
            elif (
                folder.path not in before
                or before[folder.path].exists < look.exists
                or (
                    before[folder.path].next_uid != look.next_uid
                    or before[folder.path].uidvalidity != look.uidvalidity
                )
            ):
                reason = WakeReason.NEW
            elif before[folder.path] != look:
                reason = reason or WakeReason.FLAGS
        return reason, looks

    async def _has_new(self, source: ImapSource, folder: FolderRow, uidnext: int | None) -> bool:
        """Asked by UIDs: UIDNEXT alone also grows by mails that were deleted again."""
        if uidnext is not None and uidnext <= folder.last_uid:
            return not await source.uids(after=uidnext - 1)  # the server counts from lower than we have read
        if uidnext is not None and uidnext - 1 == folder.last_uid:
            return False
        return bool(await source.uids(after=folder.last_uid))

    async def _flags_mark(self, source: ImapSource, uidnext: int | None, exists: int) -> int:
        if not exists:
            return 0
        last = uidnext - 1 if uidnext else (await source.uids())[-1:][0]
        told = await source.flag_changes(FlagCursor(None, max(1, last - FLAGS_COMPARED), last))
        return hash(frozenset(told.flags.items()))
