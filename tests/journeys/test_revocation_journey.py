"""A mailbox whose permission is withdrawn says so and rests; connected again it is the same inbox, and what came meanwhile is there, counted."""

import ssl
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.parser_pool import ParserPool
from activities.token_keeper import TokenKeeper
from providers.egress import tls_context
from providers.oauth.application import Application, google, microsoft
from providers.oauth.signing_in import SigningIn, authorise_url
from providers.s3.blobs import BlobStore
from providers.secret import Secret
from store import oauth_starts
from store.oauth_grants import COLUMN, SealedTokens
from store.unit_of_work import Database
from store.visibility import Viewer
from tests.activities.api_room import ApiRoom
from tests.activities.mail_room import LOCAL, SEALER, SECRET, letter
from tests.conftest import S3Server
from tests.journeys.api_mailroom import syncing
from tests.journeys.driver import until
from tests.servers.certificates import Certificates
from tests.servers.databases import Database as ServerDatabase
from tests.servers.gmail_server import GmailServer
from tests.servers.graph_oauth import TENANT
from tests.servers.graph_server import GraphServer
from workflows.inbox_sync import InboxSync

ADDRESS = "desk@example.org"
BACK = "https://mailroom.example.com/oauth/callback"
TLS = tls_context()


@dataclass
class Provider:
    """One of the two stand-ins, as this journey needs it."""

    name: str
    application: Application
    root: str
    tls: ssl.SSLContext
    deliver: Callable[[bytes], Any]
    withdraw: Callable[[], None]
    refreshes: Callable[[], int]


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with GraphServer() as server:
        yield server


def at_google(server: GmailServer, certificates: Certificates) -> Provider:
    server.add_mailbox(ADDRESS)
    login = server.oauth
    application = google(login.client_id, Secret(login.client_secret), root=server.url)
    return Provider(
        "gmail", application, server.url, certificates.client_context(),
        server.mailboxes[ADDRESS].deliver, lambda: login.revoke_all(ADDRESS), lambda: login.refreshes,
    )  # fmt: skip


def at_microsoft(server: GraphServer) -> Provider:
    box, login = server.mailbox(ADDRESS), server.login
    login.user = ADDRESS
    secret = Secret(login.client_secret)
    application = microsoft(login.client_id, secret, tenant=TENANT, root=f"{server.url}/", graph=server.root)

    def withdraw() -> None:
        login.break_refresh(ADDRESS, "password_changed")
        login.revoke_access()

    return Provider(
        "graph", application, server.root, TLS, box.deliver, withdraw, lambda: login.token_calls,
    )  # fmt: skip


@dataclass
class Desk:
    """The inbox, and the person who connects it."""

    provider: Provider
    room: ApiRoom
    signing_in: SigningIn

    async def connect(self) -> None:
        """As the way back from the consent page does it."""
        verifier = "v" * 43
        url = authorise_url(
            self.provider.application, redirect_uri=BACK, state="s", verifier=verifier, address=ADDRESS
        )
        async with httpx.AsyncClient(verify=self.provider.tls) as browser:
            answer = await browser.get(url)
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        tokens = await self.signing_in.exchange(
            self.provider.application, code=code, redirect_uri=BACK, verifier=verifier
        )
        assert tokens.refresh is not None
        room, inbox_id = self.room, uuid.UUID(str(self.room.inbox_id))
        sealed, key_id = SEALER.seal(
            {"refresh": tokens.refresh.reveal(), "access": tokens.access.reveal()},
            tenant_id=str(room.tenant_id), inbox_id=str(inbox_id), column=COLUMN,
        )  # fmt: skip
        start = oauth_starts.Start(inbox_id, self.provider.name, "Desk", ADDRESS)
        viewer = Viewer(uuid.UUID(str(room.tenant_id)), None, True)
        async with room.database.unit_of_work(room.tenant_id) as connection:
            await oauth_starts.connect(
                connection, viewer, inbox_id, start, new=False, scopes=tokens.scopes,
                tokens=SealedTokens(sealed, key_id, tokens.seconds), account=ADDRESS,
            )  # fmt: skip

    async def inbox(self) -> dict[str, Any]:
        (row,) = await self.room.rows("select * from inboxes where id = :i", i=self.room.inbox_id)
        return row

    async def has(self, *subjects: str) -> bool:
        return set(subjects) <= set(await self.room.subjects())


@pytest_asyncio.fixture(params=["gmail", "graph"])
async def desk(
    request: pytest.FixtureRequest,
    database: ServerDatabase,
    s3_server: S3Server,
    google: GmailServer,
    graph: GraphServer,
    certificates: Certificates,
) -> AsyncIterator[Desk]:
    provider = at_google(google, certificates) if request.param == "gmail" else at_microsoft(graph)
    house = Database(database.url, pool_size=8)
    blobs = BlobStore(
        s3_server.endpoint, s3_server.bucket, s3_server.access_key, s3_server.secret_key, s3_server.region
    )
    parsers = ParserPool(workers=1, secret=SECRET)
    signing_in = SigningIn(LOCAL, tls=certificates.client_context())
    room = await ApiRoom(
        house, blobs, parsers, port=1, user="", password="",
        provider=provider.name, root=provider.root, tls=provider.tls, page=5, remember=True,
        keeper=TokenKeeper(house, SEALER, signing_in, {provider.name: provider.application}),
    ).open()  # fmt: skip
    yield Desk(provider, room, signing_in)
    await room.close()
    parsers.close()
    blobs.close()
    await house.close()


async def test_a_withdrawn_permission_pauses_and_connecting_again_fills_the_gap(
    desk: Desk, temporal_client: Client
) -> None:
    await desk.connect()
    for n in range(3):
        desk.provider.deliver(letter(n, subject=f"before {n}"))
    async with syncing(desk.room, temporal_client) as sync:
        await until("mail from before", lambda: desk.has("before 0", "before 1", "before 2"), 15)

        desk.provider.withdraw()

        async def refused() -> bool:
            return (await desk.inbox())["health"] == "auth_failed"

        await until("the inbox says that the permission ended", refused, 10)
        inbox = await desk.inbox()
        assert inbox["connected_at"] is None
        assert "onnect" in inbox["last_error"]
        told = await desk.room.rows(
            "select payload from events where inbox_id = :i and type = 'inbox.health'", i=desk.room.inbox_id
        )
        assert {"health": "auth_failed"} in [event["payload"] for event in told]
        asked = desk.provider.refreshes()
        for n in range(4):
            desk.provider.deliver(letter(10 + n, subject=f"meanwhile {n}"))

        await desk.connect()
        await sync.signal(InboxSync.resume)
        await until("what came meanwhile", lambda: desk.has(*(f"meanwhile {n}" for n in range(4))), 15)

        async def closed() -> bool:
            return all(gap["closed_at"] for gap in await desk.room.gaps())

        await until("the gap is closed", closed, 15)
        gaps = await desk.room.gaps()
        assert {gap["cause"] for gap in gaps} == {"reauth"}
        assert sum(gap["refilled"] for gap in gaps) == 4
        assert sum(gap["listed"] for gap in gaps) >= 7
        assert (await desk.inbox())["health"] == "ok"
        assert desk.provider.refreshes() - asked <= 1  # nobody asked for tokens while it was over
    subjects = await desk.room.subjects()
    assert sorted(subjects) == sorted(set(subjects))
