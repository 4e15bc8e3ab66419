"""A Microsoft 365 mailbox from its first listing on: history, live mail, moves between folders, an outage longer than Graph remembers."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.parser_pool import ParserPool
from providers.egress import tls_context
from providers.s3.blobs import BlobStore
from store.unit_of_work import Database
from tests.activities.api_room import ApiRoom
from tests.activities.mail_room import SECRET, letter
from tests.conftest import S3Server
from tests.journeys.api_mailroom import syncing
from tests.journeys.driver import until
from tests.servers.databases import Database as ServerDatabase
from tests.servers.graph_mailbox import GraphMailbox
from tests.servers.graph_server import GraphServer
from workflows.inbox_sync import InboxSync

TLS = tls_context()  # loaded once; the stand-in speaks plain http


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with GraphServer() as server:
        yield server
        assert server.forgotten == []


@pytest.fixture
def box(graph: GraphServer) -> GraphMailbox:
    return graph.mailbox("desk@example.org")


@pytest_asyncio.fixture
async def room(
    database: ServerDatabase, s3_server: S3Server, graph: GraphServer, box: GraphMailbox
) -> AsyncIterator[ApiRoom]:
    house = Database(database.url, pool_size=8)
    blobs = BlobStore(
        s3_server.endpoint, s3_server.bucket, s3_server.access_key, s3_server.secret_key, s3_server.region
    )
    parsers = ParserPool(workers=1, secret=SECRET)
    made = await ApiRoom(
        house, blobs, parsers, port=1, user="", password="",
        provider="graph", root=graph.root, tls=TLS, page=5, remember=True,
        make_token=lambda: graph.login.access_token(box.address),
    ).open()  # fmt: skip
    yield made
    await made.close()
    parsers.close()
    blobs.close()
    await house.close()


async def test_a_microsoft_mailbox_is_kept_in_step(
    room: ApiRoom, graph: GraphServer, box: GraphMailbox, temporal_client: Client
) -> None:
    box.quirks.duplicates, box.quirks.replayed = True, 2
    now = datetime.now(UTC)
    box.deliver(letter(0, subject="older than wanted"), received_at=now - timedelta(days=90))
    for n in range(1, 9):
        box.deliver(letter(n, subject=f"history {n}"), received_at=now - timedelta(days=n))

    async def here(*subjects: str) -> bool:
        return set(subjects) <= set(await room.subjects())

    async with syncing(room, temporal_client) as sync:
        await until("the history", lambda: here(*(f"history {n}" for n in range(1, 9))), 15)
        news = box.deliver(letter(20, subject="news")).immutable_id
        box.deliver(letter(21, subject="ours", sender="desk@example.org"), "sentitems", read=True)
        await until("new mail and our own", lambda: here("news", "ours"), 10)
        assert (await room.message("ours"))["direction"] == "outbound"

        box.move(news, "archive")

        async def gone() -> bool:
            return (await room.ledger())[news]["gone_at"] is not None

        await until("moved where nobody reads is gone", gone, 10)
        box.move(news, "sentitems")

        async def back() -> bool:
            return not await gone()

        await until("moved to a folder that is read is back", back, 10)

        await room.rows("update inboxes set paused_at = now() where id = :i", i=room.inbox_id)
        await sync.signal(InboxSync.pause)
        for n in range(30, 36):
            box.deliver(letter(n, subject=f"missed {n}"))
        graph.faults.plan("messages.delta", 410, code="syncStateNotFound")
        await room.rows("update inboxes set paused_at = null where id = :i", i=room.inbox_id)
        await sync.signal(InboxSync.resume)
        await until("what came meanwhile", lambda: here(*(f"missed {n}" for n in range(30, 36))), 10)

        async def closed() -> bool:
            return [g["cause"] for g in await room.gaps() if g["closed_at"]] == ["delta_410"]

        await until("the gap is closed", closed, 10)
    subjects = await room.subjects()
    assert len(subjects) == len(set(subjects)) == 8 + 2 + 6
    assert {row["state"] for row in (await room.ledger()).values()} == {"ingested"}
