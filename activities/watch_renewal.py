"""Asks Gmail or Graph to announce changes of one inbox, and writes what was granted and when to ask again.

Dying before the row is written leaves the inbox due in ten minutes, so it is asked again: Gmail has one watch for a mailbox; of Graph's two
subscriptions the older one ends by itself, and nobody believes its notices. Run late it renews late; polling goes on all the time.
"""

import datetime as dt
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from temporalio import activity

from activities._edges import edges, failure
from activities.accounts import Accounts, MailboxToken
from activities.heartbeat import heartbeats
from contracts.watch_renewal import WatchOrder, WatchOutcome, WatchRenewalSteps
from providers.errors import AuthFailed, ProviderError
from providers.gmail.account import GmailAccount
from providers.gmail.watch import GmailWatch
from providers.graph.account import GraphAccount
from providers.graph.watch import GraphWatch, SubscriptionGone
from providers.secret import Secret
from store.inbox_state import InboxState
from store.push_notices import client_state_hash
from store.unit_of_work import Database
from store.watches import gmail_granted, graph_granted, read_watch, watch_begun, watch_refused

DAILY = dt.timedelta(days=1)  # Google advises to renew a watch each day
LEAST = dt.timedelta(minutes=5)  # however short a grant is, it is not asked for more often
AGAIN = dt.timedelta(minutes=10)  # after a run that died
FIRST_REFUSAL, LAST_REFUSAL = dt.timedelta(hours=1), dt.timedelta(hours=24)
FIRST_TROUBLE = dt.timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Grant:
    """Until when changes are announced; the subscription's id, and the hash of its client state where it is new."""

    expires_at: dt.datetime
    subscription_id: str | None = None
    state_hash: str | None = None


class Watcher(Protocol):
    """One provider's way. `known` is the subscription that the row holds."""

    async def ask(self, inbox: InboxState, token: MailboxToken, known: str | None, now: dt.datetime) -> Grant:
        """Raises ProviderError."""


class GmailWatcher:
    """`topic` as `providers/gmail/watch.py` has it."""

    def __init__(self, account: Callable[[InboxState, MailboxToken], GmailAccount], topic: str) -> None:
        self._account = account
        self._topic = topic

    async def ask(self, inbox: InboxState, token: MailboxToken, known: str | None, now: dt.datetime) -> Grant:  # noqa: ARG002
        account = self._account(inbox, token)
        try:
            return Grant((await GmailWatch(account, self._topic).start()).expires_at)
        finally:
            await account.close()


class GraphWatcher:
    """`url` takes notices and lifecycle events alike."""

    def __init__(self, account: Callable[[InboxState, MailboxToken], GraphAccount], url: str) -> None:
        self._account = account
        self._url = url

    async def ask(self, inbox: InboxState, token: MailboxToken, known: str | None, now: dt.datetime) -> Grant:
        account = self._account(inbox, token)
        try:
            watch = GraphWatch(account)
            if known is not None:
                try:
                    renewed = await watch.renew(known, now=now)
                    return Grant(renewed.expires_at, renewed.id)
                except SubscriptionGone:
                    pass  # make another one; the sync goes on from its cursors, so nothing is missed
            state = secrets.token_hex(16)
            made = await watch.create(self._url, self._url, Secret(state), now=now)
            return Grant(made.expires_at, made.id, client_state_hash(state))
        finally:
            await account.close()


class WatchRenewing(WatchRenewalSteps):
    """`watchers` by provider; an inbox of another is left to polling. `clock` gives aware instants."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        watchers: Mapping[str, Watcher],
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._watchers = watchers
        self._clock = clock

    @activity.defn(name="watch.renew")
    async def renew(self, order: WatchOrder) -> WatchOutcome:
        with edges():
            async with heartbeats():
                return await self._renew(order)

    async def _renew(self, order: WatchOrder) -> WatchOutcome:
        tenant_id, inbox_id = uuid.UUID(order.tenant_id), uuid.UUID(order.inbox_id)
        inbox = await self._accounts.inbox(order.tenant_id, order.inbox_id)
        watcher = self._watchers.get(inbox.provider)
        async with self._database.unit_of_work(tenant_id) as connection:
            state = await read_watch(connection, tenant_id, inbox_id)
            if state is None:
                raise failure("NotFound")
            if watcher is None or not state.awake:
                return WatchOutcome("idle")
            now = self._clock()
            await watch_begun(connection, tenant_id, inbox_id, due_at=now + AGAIN)
        try:
            token = self._accounts.token_of(inbox)
            if token is None:
                raise AuthFailed
            grant = await watcher.ask(inbox, token, state.subscription_id, now)
        except ProviderError as error:
            due_at = now + refused_for(error, state.failures, order.jitter)
            async with self._database.unit_of_work(tenant_id) as connection:
                await watch_refused(connection, tenant_id, inbox_id, due_at=due_at, sentence=error.sentence)
            return WatchOutcome("refused", error.reason)
        due_at = now + renew_after(grant.expires_at - now, order.jitter)
        async with self._database.unit_of_work(tenant_id) as connection:
            if grant.subscription_id is None:
                await gmail_granted(
                    connection, tenant_id, inbox_id, expires_at=grant.expires_at, due_at=due_at, now=now
                )
            else:
                await graph_granted(
                    connection,
                    tenant_id,
                    inbox_id,
                    subscription_id=grant.subscription_id,
                    state_hash=grant.state_hash,
                    expires_at=grant.expires_at,
                    due_at=due_at,
                    now=now,
                )
        return WatchOutcome("granted")


def renew_after(granted: dt.timedelta, jitter: float) -> dt.timedelta:
    """Between 40 and 60 % of what was granted, at most a day and at least five minutes."""
    return max(min(granted * (0.4 + 0.2 * jitter), DAILY * (0.8 + 0.2 * jitter)), LEAST)


def refused_for(error: ProviderError, failures: int, jitter: float) -> dt.timedelta:
    """Doubled up to a day, sooner where the trouble passes by itself, and never before the provider's own time."""
    first = FIRST_TROUBLE if error.transient else FIRST_REFUSAL
    doubled: dt.timedelta = first * (1 << min(failures, 12))
    rest = min(doubled, LAST_REFUSAL) * (0.75 + 0.25 * jitter)
    return max(rest, dt.timedelta(seconds=min(error.retry_after or 0.0, 86_400.0)))
