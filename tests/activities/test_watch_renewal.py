"""Watches and subscriptions over time: never lapsed while they are granted, never asked for in a storm, made anew when removed."""

import datetime as dt
import random
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.accounts import Accounts
from activities.sweep import Sweeping
from activities.watch_renewal import (
    AGAIN,
    LEAST,
    GmailWatcher,
    GraphWatcher,
    WatchRenewing,
    refused_for,
    renew_after,
)
from contracts.sweep import SweepKind, SweepQuestion
from contracts.watch_renewal import WatchOrder, WatchOutcome
from providers.errors import AuthFailed, Refused, Throttled, Unreachable
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailEndpoint
from providers.graph.account import GraphAccount
from providers.graph.endpoint import GraphEndpoint
from store.people import create_tenant
from store.push_notices import client_state_hash
from store.unit_of_work import Database
from tests.activities.api_room import Tokens, no_wait
from tests.activities.mail_room import LOCAL, SEALER
from tests.servers.gmail_server import GmailServer
from tests.servers.graph_server import GraphServer

TOPIC = "projects/example/topics/mail"
URL = "https://mailroom.example.com/api/webhooks/graph-push"
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@dataclass
class Clinic:
    """One inbox of a provider, the step, the sweep that starts it, and a clock that tests turn."""

    house: Database
    provider: str
    watcher: Any
    make_token: Callable[[], str]
    turn: Callable[[dt.timedelta], None] = lambda _: None
    tenant_id: uuid.UUID = field(default_factory=uuid.uuid4)
    inbox_id: uuid.UUID = field(default_factory=uuid.uuid4)
    ahead: dt.timedelta = dt.timedelta()
    dice: random.Random = field(default_factory=lambda: random.Random(3))

    async def open(self) -> "Clinic":
        async with self.house.system_unit_of_work() as connection:
            self.tenant_id = await create_tenant(connection, name="T", slug=uuid.uuid4().hex)
        self.tokens = Tokens(self.make_token)
        accounts = Accounts(self.house, SEALER, tokens=self.tokens)
        self.step = WatchRenewing(self.house, accounts, {self.provider: self.watcher}, clock=self.now)
        self.sweeping = Sweeping(self.house, watched=(self.provider,), clock=self.now)
        await self.sql(
            "insert into inboxes (tenant_id, id, name, provider, email_address, connected_at, health)"
            " values (:t, :i, 'Desk', :p, 'team@example.com', now(), 'ok')", p=self.provider,
        )  # fmt: skip
        return self

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.ahead

    def later(self, by: dt.timedelta) -> None:
        self.ahead += by
        self.turn(by)

    async def sql(self, statement: str, **bound: Any) -> list[Any]:
        async with self.house.unit_of_work(self.tenant_id) as connection:
            found = await connection.execute(text(statement), {"t": self.tenant_id, "i": self.inbox_id} | bound)
            return list(found) if found.returns_rows else []

    async def row(self) -> Any:
        (found,) = await self.sql("select * from inboxes where tenant_id = :t and id = :i")
        return found

    async def due(self) -> bool:
        found = (await self.sweeping.find(SweepQuestion(SweepKind.WATCHES))).found
        return str(self.inbox_id) in {f.id for f in found}

    async def renew(self) -> WatchOutcome:
        order = WatchOrder(str(self.tenant_id), str(self.inbox_id), self.dice.random())
        made: WatchOutcome = await ActivityEnvironment().run(self.step.renew, order)
        return made

    async def sweep(self) -> WatchOutcome | None:
        return await self.renew() if await self.due() else None


@pytest.fixture
async def house(module_database: Any) -> AsyncIterator[Database]:
    made = Database(module_database.url, pool_size=3)
    async with made.system_unit_of_work() as connection:  # each test sweeps for itself
        await connection.execute(text("update inboxes set paused_at = now()"))
    yield made
    await made.close()


@pytest.fixture
async def gmail(house: Database, google: GmailServer, certificates: Any) -> Clinic:
    google.add_mailbox("team@example.com")
    endpoint = GmailEndpoint(google.url, LOCAL, certificates.client_context())
    watcher = GmailWatcher(lambda _, token: GmailAccount(token, endpoint=endpoint, sleep=no_wait), TOPIC)
    token = lambda: google.oauth.access_token("team@example.com")  # noqa: E731
    return await Clinic(house, "gmail", watcher, token, lambda by: google.advance(by.total_seconds())).open()


@pytest.fixture
def graph_server() -> Any:
    with GraphServer() as server:
        server.mailbox("team@example.com")
        server.subscriptions.post = lambda url, _body, _kind: (200, "text/plain", echoed(url))
        yield server


def echoed(url: str) -> bytes:
    return urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["validationToken"][0].encode()


@pytest.fixture
async def graph(house: Database, graph_server: GraphServer) -> Clinic:
    endpoint = GraphEndpoint(graph_server.root, policy=LOCAL)
    watcher = GraphWatcher(lambda _, token: GraphAccount(token, endpoint=endpoint, sleep=no_wait), URL)
    made = await Clinic(house, "graph", watcher, lambda: graph_server.login.access_token("team@example.com")).open()
    graph_server.subscriptions.now = made.now
    return made


async def sixty_days(clinic: Clinic, alive: Callable[[], bool]) -> tuple[int, int]:
    """Sweeps each six hours; gives how often the provider was asked and how often nothing was alive."""
    asked = lapsed = 0
    for _ in range(60 * 4):
        outcome = await clinic.sweep()
        asked += outcome is not None
        lapsed += not alive()
        clinic.later(6 * HOUR)
    return asked, lapsed


async def test_watch_lifetime_over_sixty_days_it_never_lapses_and_is_renewed_daily(gmail: Clinic, google: GmailServer) -> None:
    box = google.mailboxes["team@example.com"]
    asked, lapsed = await sixty_days(gmail, lambda: box.watch is not None and box.watch.expires > google.now() + 5 * 86400)
    assert lapsed == 0
    assert 45 <= asked <= 80
    assert google.calls("watch") == asked
    row = await gmail.row()
    assert row.gmail_watch_expires_at.timestamp() == pytest.approx(box.watch.expires, abs=1) if box.watch else False


async def test_subscription_life_over_sixty_days_it_never_lapses_at_whatever_is_granted(graph: Clinic, graph_server: GraphServer) -> None:
    subscriptions = graph_server.subscriptions
    subscriptions.granted_minutes = 4230

    def alive() -> bool:
        return any(one.expires_at > graph.now() for one in subscriptions.open.values())

    asked, lapsed = await sixty_days(graph, alive)
    assert lapsed == 0
    assert 45 <= asked <= 80
    assert len(subscriptions.open) == 1, "renewed, not made again"
    (one,) = subscriptions.open.values()
    row = await graph.row()
    assert (row.graph_subscription_id, row.graph_client_state_hash) == (one.id, client_state_hash(one.client_state or ""))
    assert one.lifecycle_url == one.notification_url == URL


async def test_lifecycle_a_subscription_that_is_gone_is_made_anew_with_a_new_secret(graph: Clinic, graph_server: GraphServer) -> None:
    assert await graph.renew() == WatchOutcome("granted")
    before = await graph.row()
    graph_server.subscriptions.open.clear()
    await graph.sql("update inboxes set watch_due_at = now() where tenant_id = :t and id = :i")
    graph.later(dt.timedelta(minutes=1))
    assert await graph.sweep() == WatchOutcome("granted")
    after = await graph.row()
    assert after.graph_subscription_id != before.graph_subscription_id
    assert after.graph_client_state_hash != before.graph_client_state_hash
    assert set(graph_server.subscriptions.open) == {after.graph_subscription_id}


async def test_a_refusal_is_asked_again_ever_more_seldom(graph: Clinic, graph_server: GraphServer) -> None:
    graph_server.subscriptions.limit = 0
    asked = 0
    for _ in range(10 * 24):
        outcome = await graph.sweep()
        if outcome is not None:
            asked += 1
            assert outcome.state == "refused"
        graph.later(HOUR)
    assert 8 <= asked <= 20
    graph_server.subscriptions.limit = 1
    for _ in range(24):
        await graph.sweep()
        graph.later(HOUR)
    row = await graph.row()
    assert (row.watch_failures, row.graph_subscription_id is None) == (0, False)


async def test_a_run_that_dies_leaves_the_inbox_due_in_ten_minutes(gmail: Clinic) -> None:
    class Dies:
        async def ask(self, *_: object) -> Any:
            raise RuntimeError

    step = WatchRenewing(gmail.house, Accounts(gmail.house, SEALER, tokens=gmail.tokens), {"gmail": Dies()}, clock=gmail.now)
    with pytest.raises(ApplicationError):
        await ActivityEnvironment().run(step.renew, WatchOrder(str(gmail.tenant_id), str(gmail.inbox_id), 0.5))
    assert not await gmail.due()
    gmail.later(AGAIN)
    assert await gmail.sweep() == WatchOutcome("granted")


async def test_what_is_not_to_be_watched_is_not_asked_for(gmail: Clinic, google: GmailServer) -> None:
    unset = Sweeping(gmail.house, clock=gmail.now)
    assert (await unset.find(SweepQuestion(SweepKind.WATCHES))).found == ()
    for change in ("paused_at = now()", "paused_at = null, health = 'auth_failed'", "connected_at = null, health = 'ok'"):
        await gmail.sql(f"update inboxes set {change} where tenant_id = :t and id = :i")
        assert not await gmail.due(), change
    assert await gmail.renew() == WatchOutcome("idle")
    await gmail.sql("update inboxes set connected_at = now(), deleted_at = now() where tenant_id = :t and id = :i")
    with pytest.raises(ApplicationError) as failed:
        await gmail.renew()
    assert failed.value.type == "NotFound"
    assert google.calls("watch") == 0


async def test_an_ended_sign_in_is_a_refusal(gmail: Clinic) -> None:
    gmail.tokens.ended = True
    assert await gmail.renew() == WatchOutcome("refused", "auth_failed")
    assert not await gmail.due()


def test_the_granted_time_decides_and_the_random_number_spreads() -> None:
    week, short = dt.timedelta(days=7), dt.timedelta(minutes=45)
    assert [renew_after(week, j) for j in (0.0, 1.0)] == [DAY * 0.8, DAY]
    assert [renew_after(short, j) for j in (0.0, 1.0)] == [short * 0.4, short * 0.6]
    assert renew_after(dt.timedelta(minutes=1), 0.5) == LEAST


def test_refusals_and_trouble_wait_ever_longer_and_as_long_as_the_provider_says() -> None:
    refused = [refused_for(Refused("topic_refused", "No."), n, 1.0) for n in range(8)]
    assert refused == [HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, DAY, DAY, DAY]
    assert refused_for(Unreachable(), 0, 1.0) == dt.timedelta(minutes=2)
    assert refused_for(Throttled(retry_after=7200.0), 0, 0.0) == 2 * HOUR
    assert refused_for(AuthFailed(), 999, 0.0) == DAY * 0.75
