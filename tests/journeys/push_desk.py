"""A mailbox of Gmail or Graph whose announcements come over real HTTP to the API's webhooks: tokens signed, client states secret."""

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.inbound_watch import InboundWatch
from activities.watch_renewal import GmailWatcher, GraphWatcher, WatchRenewing
from api.app import Push, create_app
from api.push_pokes import PushPokes
from api.rate_limits import RateLimits
from api.temporal_gateway import TemporalGateway
from contracts.watch_renewal import WatchOrder, WatchOutcome
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailEndpoint
from providers.gmail.push_token import PushTokens
from providers.graph.account import GraphAccount
from providers.graph.endpoint import GraphEndpoint
from store.unit_of_work import Database
from tests.activities.api_room import ApiRoom, no_wait
from tests.activities.mail_room import LOCAL
from tests.api.stand_ins import make_deps
from tests.servers.gmail_server import GmailServer
from tests.servers.google_push import ACCOUNT, AUDIENCE, GooglePush, announcement
from tests.servers.graph_server import GraphServer

GMAIL, GRAPH = "/api/webhooks/gmail-push", "/api/webhooks/graph-push"
NOTICE = dt.timedelta(seconds=1)  # what an announcement may take here
AT_ONCE = 16


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the test run."""
        yield


@dataclass
class PushDesk:
    """`provider` is the stand-in, `url` where the API listens."""

    room: ApiRoom
    provider: GmailServer | GraphServer
    url: str
    google: GooglePush
    tokens: list[str] = field(default_factory=list)

    @property
    def box(self) -> Any:
        return self.provider.mailboxes[self.room.address]

    def watcher(self) -> GmailWatcher | GraphWatcher:
        if isinstance(self.provider, GmailServer):
            gmail = GmailEndpoint(self.room.root, LOCAL, self.room.tls)
            return GmailWatcher(lambda _, t: GmailAccount(t, endpoint=gmail, sleep=no_wait), "projects/example/topics/mail")
        graph = GraphEndpoint(self.room.root, policy=LOCAL, tls=self.room.tls)
        return GraphWatcher(lambda _, t: GraphAccount(t, endpoint=graph, sleep=no_wait), f"{self.url}{GRAPH}")

    async def watch(self) -> None:
        """As the sweep's renewal does it. Graph asks at our webhook for its token back."""
        step = WatchRenewing(self.room.database, self.room.accounts, {self.room.provider: self.watcher()})
        order = WatchOrder(str(self.room.tenant_id), str(self.room.inbox_id), 0.5)
        assert await ActivityEnvironment().run(step.renew, order) == WatchOutcome("granted")

    def looks_every(self, seconds: float) -> None:
        room = self.room
        room.watching = InboundWatch(room.database, room.pool, room.accounts, poll_seconds=seconds, notice=NOTICE)

    def said(self) -> list[dict[str, Any]]:
        """What the provider wants to announce by now; it is forgotten there. Not sent, it is dropped."""
        if isinstance(self.provider, GraphServer):
            bodies: list[dict[str, Any]] = []
            self.provider.subscriptions.flush(lambda _url, body: bodies.append(body))
            return bodies
        notices, self.box.notifications[:] = list(self.box.notifications), []
        return [announcement(n["emailAddress"], n["historyId"], f"{n['historyId']}") for n in notices]

    async def post(self, bodies: Sequence[dict[str, Any]], *, token: str | None = None) -> list[int]:
        """The answers, in order; sixteen calls at a time over kept connections, all from one address."""
        if not self.tokens:
            self.tokens = [self.google.token() for _ in range(10)]
        path = GRAPH if isinstance(self.provider, GraphServer) else GMAIL
        gate = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=30) as client:

            async def one(body: dict[str, Any]) -> int:
                bearer = token or random.choice(self.tokens)
                async with gate:
                    answer = await client.post(path, json=body, headers={"Authorization": f"Bearer {bearer}"})
                return answer.status_code

            return list(await asyncio.gather(*(one(body) for body in bodies)))


@asynccontextmanager
async def push_desk(
    room: ApiRoom, provider: GmailServer | GraphServer, url: str, client: Client, google: GooglePush
) -> AsyncIterator[PushDesk]:
    """The API on a port of its own with its usual limits; `url` is that of the database."""
    database = Database(url, pool_size=8)
    push = Push(PushTokens(google.client(), audience=AUDIENCE, account=ACCOUNT), graph=True)
    gateway = TemporalGateway(client)
    pokes = PushPokes(gateway.poke_sync)
    deps = make_deps(database, url, push=push, gateway=gateway, pokes=pokes, limits=RateLimits())
    config = uvicorn.Config(create_app(deps), host="127.0.0.1", port=0, lifespan="off", log_level="warning")
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 – it has no event to wait for
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield PushDesk(room, provider, f"http://127.0.0.1:{port}", google)
    finally:
        await pokes.close()
        server.should_exit = True
        await serving
        await push.close()
        await database.close()
