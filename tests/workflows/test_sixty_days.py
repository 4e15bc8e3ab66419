"""Sixty days of announcements on the time-skipping server: the sweep's and the renewal's real workflows and steps, real rows, both
providers' stand-ins on the same clock. Nothing lapses that was not taken away, and nothing is asked for in a storm.
"""

import datetime as dt
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text
from temporalio import activity
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.accounts import Accounts
from activities.sweep import Sweeping
from activities.watch_renewal import GmailWatcher, GraphWatcher, WatchRenewing
from contracts import ids, queues
from contracts.sweep import SweepFindings, SweepKind, SweepQuestion, SweepState, TidyReport
from contracts.watch_renewal import WatchOrder, WatchOutcome
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailEndpoint
from providers.graph.account import GraphAccount
from providers.graph.endpoint import GraphEndpoint
from store.inbox_state import InboxState
from store.people import create_tenant
from store.push_notices import PushedInbox, subscription_removed, watch_is_due
from store.unit_of_work import Database
from tests.activities.api_room import Tokens, no_wait
from tests.activities.mail_room import LOCAL, SEALER
from tests.servers.certificates import Certificates
from tests.servers.databases import Database as ServerDatabase
from tests.servers.gmail_server import GmailServer
from tests.servers.graph_server import GraphServer
from workflows.sweep import Sweep
from workflows.watch_renewal import WatchRenewal

TOPIC, URL = "projects/example/topics/mail", "https://mailroom.example.com/api/webhooks/graph-push"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DAYS = 60


@dataclass
class Mailbox:
    """One watched inbox. `asked` are the instants at which the provider was asked, `bare` those at which nothing was alive any more;
    `ends` is what the provider itself would say.
    """

    provider: str
    ends: Callable[[], dt.datetime | None]
    inbox_id: uuid.UUID = field(default_factory=uuid.uuid4)
    asked: list[dt.datetime] = field(default_factory=list)
    bare: list[dt.datetime] = field(default_factory=list)
    outcomes: list[tuple[dt.datetime, str]] = field(default_factory=list)

    def most_within(self, span: timedelta) -> int:
        return max(sum(at <= other < at + span for other in self.asked) for at in self.asked)


@dataclass
class Calendar:
    """The inboxes, the clock that all of them share, and what happens on which day."""

    house: Database
    google: GmailServer
    graphs: dict[str, GraphServer]
    tenant_id: uuid.UUID = field(default_factory=uuid.uuid4)
    boxes: dict[str, Mailbox] = field(default_factory=dict)
    now: dt.datetime = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    begun: dt.datetime = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    happenings: list[tuple[float, Callable[[], Any]]] = field(default_factory=list)
    refusing: set[str] = field(default_factory=set)

    def turn(self) -> None:
        """The server's clock, as the running step sees it, becomes everybody's."""
        started = activity.info().started_time
        if started > self.now:
            self.google.advance((started - self.now).total_seconds())
            self.now = started

    def day(self, days: float) -> dt.datetime:
        return self.begun + days * DAY

    async def happen(self) -> None:
        while self.happenings and self.now >= self.day(self.happenings[0][0]):
            done = self.happenings.pop(0)[1]()
            if done is not None:
                await done

    async def rows(self, statement: str, **bound: Any) -> list[Any]:
        async with self.house.unit_of_work(self.tenant_id) as connection:
            found = await connection.execute(text(statement), {"t": self.tenant_id} | bound)
            return list(found) if found.returns_rows else []

    async def wait(self) -> timedelta:
        """Until the minute of the next sweep that has something to do, half a day at most; the sweeps between would find nothing."""
        rows = await self.rows("select extract(epoch from min(coalesce(watch_due_at, now()))) as due from inboxes where tenant_id = :t")
        planned = [self.day(days).timestamp() for days, _ in self.happenings[:1]]
        now = self.now.timestamp()
        wanted = min(float(rows[0].due), now + 12 * 3600, *planned)
        return timedelta(seconds=max(1.0, wanted - now) + 60 - max(wanted, now) % 60)


class Swept(Sweeping):
    """The real finder, on the calendar's clock; deleting what has expired is no part of this."""

    calendar: Calendar
    client: Client
    renewing: list[str]

    @activity.defn(name="sweep.find")
    async def find(self, question: SweepQuestion) -> SweepFindings:
        self.calendar.turn()
        await self.calendar.happen()
        findings: SweepFindings = await super().find(question)
        self.renewing = [one.id for one in findings.found]
        return findings

    @activity.defn(name="sweep.tidy")
    async def tidy(self) -> TidyReport:
        """Waits for the renewals: a child that outlives its parent stops the time-skipping server's clock for good."""
        for inbox_id in self.renewing:
            await self.client.get_workflow_handle(ids.watch_renewal(inbox_id)).result()
        return TidyReport(0, 0, 0, 0, 0, 0)


class Renewed(WatchRenewing):
    """The real step, on the calendar's clock, with a note of how things stood when it was asked."""

    calendar: Calendar

    @activity.defn(name="watch.renew")
    async def renew(self, order: WatchOrder) -> WatchOutcome:
        calendar = self.calendar
        calendar.turn()
        name, box = next((n, b) for n, b in calendar.boxes.items() if str(b.inbox_id) == order.inbox_id)
        ends = box.ends()
        if box.asked and (ends is None or ends <= calendar.now):
            box.bare.append(calendar.now)
        box.asked.append(calendar.now)
        if name in calendar.refusing:
            calendar.google.faults.plan("watch", status=403, reason="forbidden")
        outcome: WatchOutcome = await super().renew(order)
        box.outcomes.append((calendar.now, outcome.state))
        return outcome


def echoed(url: str, _body: bytes, _kind: str) -> tuple[int, str, bytes]:
    return 200, "text/plain", urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["validationToken"][0].encode()


@pytest.fixture
def graphs() -> Iterator[dict[str, GraphServer]]:
    with GraphServer() as whole, GraphServer() as short:
        short.subscriptions.granted_minutes = 4230
        for server in (whole, short):
            server.subscriptions.post = echoed
        yield {"graph of seven days": whole, "graph of 4,230 minutes": short}


@pytest.fixture
async def calendar(
    module_database: ServerDatabase, google: GmailServer, graphs: dict[str, GraphServer]
) -> AsyncIterator[Calendar]:
    house = Database(module_database.url, pool_size=4)
    made = Calendar(house, google, graphs)
    async with house.system_unit_of_work() as connection:
        made.tenant_id = await create_tenant(connection, name="T", slug=uuid.uuid4().hex)
    for name, days in (("gmail of seven days", 7.0), ("gmail of one day", 1.0)):
        box = google.add_mailbox(address(name), watch_days=days)
        made.boxes[name] = Mailbox("gmail", lambda box=box: box.watch and dt.datetime.fromtimestamp(box.watch.expires, dt.UTC))
    for name, server in graphs.items():
        server.mailbox(address(name))
        server.subscriptions.now = lambda: made.now
        open_ = server.subscriptions.open
        made.boxes[name] = Mailbox("graph", lambda open_=open_: max((s.expires_at for s in open_.values()), default=None))
    for name, mailbox in made.boxes.items():
        await made.rows(
            "insert into inboxes (tenant_id, id, name, provider, email_address, connected_at, health) values (:t, :i, :n, :p, :a, now(), 'ok')",
            i=mailbox.inbox_id, n=name, p=mailbox.provider, a=address(name),
        )  # fmt: skip
    yield made
    await house.close()


def address(name: str) -> str:
    return f"{name.replace(' ', '-').replace(',', '')}@example.com"


def steps(calendar: Calendar, certificates: Certificates) -> tuple[Swept, Renewed]:
    """The real steps; which stand-in an inbox belongs to is told by its address."""
    gmail = GmailEndpoint(calendar.google.url, LOCAL, certificates.client_context())
    graph = {address(n): GraphEndpoint(s.root, policy=LOCAL) for n, s in calendar.graphs.items()}

    class TokensOfAll(Tokens):
        async def access_token(self, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> Any:
            name = next(n for n, b in calendar.boxes.items() if b.inbox_id == inbox_id)
            server = calendar.graphs.get(name)
            self.make = lambda: (server.login if server else calendar.google.oauth).access_token(address(name))
            return await super().access_token(tenant_id, inbox_id)

    def graph_account(inbox: InboxState, token: Any) -> GraphAccount:
        return GraphAccount(token, endpoint=graph[inbox.email_address], sleep=no_wait)

    watchers = {
        "gmail": GmailWatcher(lambda _, token: GmailAccount(token, endpoint=gmail, sleep=no_wait), TOPIC),
        "graph": GraphWatcher(graph_account, URL),
    }
    clock = lambda: calendar.now  # noqa: E731
    swept = Swept(calendar.house, watched=tuple(watchers), clock=clock)
    renewed = Renewed(calendar.house, Accounts(calendar.house, SEALER, tokens=TokensOfAll(str)), watchers, clock=clock)
    swept.calendar = renewed.calendar = calendar
    return swept, renewed


async def test_sixty_days_nothing_lapses_and_nothing_storms(
    time_skipping_env: WorkflowEnvironment, calendar: Calendar, certificates: Certificates
) -> None:
    whole, short = calendar.graphs["graph of seven days"], calendar.boxes["graph of 4,230 minutes"]
    week = calendar.boxes["graph of seven days"]
    calendar.now = calendar.begun = await time_skipping_env.get_current_time()
    calendar.google.advance(calendar.begun.timestamp() - calendar.google.now())
    told: list[dt.datetime] = []

    async def removed_and_told() -> None:
        """Graph takes a subscription away and says so; the webhook writes this."""
        inbox = PushedInbox(calendar.tenant_id, short.inbox_id, "graph", awake=True)
        (row,) = await calendar.rows("select graph_subscription_id as id from inboxes where id = :i", i=short.inbox_id)
        calendar.graphs["graph of 4,230 minutes"].subscriptions.open.clear()
        async with calendar.house.unit_of_work(calendar.tenant_id) as connection:
            await subscription_removed(connection, inbox, row.id)
            await watch_is_due(connection, inbox, now=calendar.now)
        told.append(calendar.now)

    calendar.happenings = [
        (15.0, lambda: calendar.refusing.add("gmail of seven days")),
        (17.0, lambda: calendar.refusing.discard("gmail of seven days")),
        (20.0, whole.subscriptions.open.clear),
        (30.0, removed_and_told),
    ]
    swept, renewed = steps(calendar, certificates)
    sweeps, swept.client = 0, time_skipping_env.client
    client, env = time_skipping_env.client, time_skipping_env
    async with Worker(
        client,
        task_queue=queues.FLOW,
        workflows=[Sweep, WatchRenewal],
        activities=[swept.find, swept.tidy, renewed.renew],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        while calendar.now < calendar.day(DAYS):
            await env.sleep(await calendar.wait())
            # The schedule's part: that server has none.
            with env.auto_time_skipping_disabled():
                only = SweepState(kinds=(SweepKind.WATCHES,))
                done = await client.execute_workflow(Sweep.run, only, id=f"sweep-{sweeps}", task_queue=queues.FLOW)
            assert done.started == len(swept.renewing)
            sweeps += 1
    assert calendar.now >= calendar.day(DAYS) - 12 * HOUR
    assert calendar.happenings == []
    for name, box in calendar.boxes.items():
        ends = box.ends()
        assert ends is not None, name
        assert ends > calendar.now, name

    # Asked for at most every day where that is soon enough, and never much more often than it takes.
    asked = {name: len(box.asked) for name, box in calendar.boxes.items()}
    assert 60 <= asked["gmail of seven days"] <= 80
    assert 100 <= asked["gmail of one day"] <= 150, "each time after half of what was granted"
    assert 60 <= asked["graph of seven days"] <= 78
    assert 60 <= asked["graph of 4,230 minutes"] <= 78
    assert sweeps < 60 * 2 + sum(asked.values()) + 20
    assert calendar.google.calls("watch") == asked["gmail of seven days"] + asked["gmail of one day"]
    for name, box in calendar.boxes.items():
        assert box.most_within(HOUR) <= 2, name
        assert box.most_within(DAY) <= (6 if name == "gmail of seven days" else 4), name

    # Refusals are asked ever more seldom and cost nothing, since the watch lasts for days: the first comes within the first of the
    # two days, those after it after 1, 2, 4, 8 and 16 hours, each of them up to a quarter shorter.
    refused = [at for at, state in calendar.boxes["gmail of seven days"].outcomes if state == "refused"]
    assert 5 <= len(refused) <= 7
    gaps = [after - before for before, after in pairwise(refused)]
    assert gaps == sorted(gaps)
    assert calendar.boxes["gmail of seven days"].bare == calendar.boxes["gmail of one day"].bare == []

    # A subscription that is gone without a word is found at the next renewal, within a day; one that is told of, within minutes.
    assert len(week.bare) == 1
    assert timedelta() < week.bare[0] - calendar.day(20) <= DAY + 10 * MINUTE
    assert len(short.bare) == 1
    assert short.bare[0] - told[0] <= 2 * MINUTE
    for name, server in calendar.graphs.items():
        assert len(server.subscriptions.open) == 1, f"{name}: renewed, not made again"
        assert server.count("subscriptions.create") == 2, name
