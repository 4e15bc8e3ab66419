"""A Gmail mailbox from its first listing on: history, live mail, what people do there, an outage longer than Google remembers."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest_asyncio
from temporalio.client import Client

from activities.parser_pool import ParserPool
from providers.s3.blobs import BlobStore
from store.unit_of_work import Database
from tests.activities.api_room import ApiRoom
from tests.activities.mail_room import SECRET, letter
from tests.conftest import S3Server
from tests.journeys.api_mailroom import syncing
from tests.journeys.driver import until
from tests.servers.certificates import Certificates
from tests.servers.databases import Database as ServerDatabase
from tests.servers.gmail_server import GmailServer
from workflows.inbox_sync import InboxSync

DAY = 86_400.0


@pytest_asyncio.fixture
async def room(
    database: ServerDatabase, s3_server: S3Server, google: GmailServer, certificates: Certificates
) -> AsyncIterator[ApiRoom]:
    house = Database(database.url, pool_size=8)
    blobs = BlobStore(
        s3_server.endpoint, s3_server.bucket, s3_server.access_key, s3_server.secret_key, s3_server.region
    )
    parsers = ParserPool(workers=1, secret=SECRET)
    google.add_mailbox("desk@example.org")
    made = await ApiRoom(
        house, blobs, parsers, port=1, user="", password="",
        provider="gmail", root=google.url, tls=certificates.client_context(), page=5, remember=True,
        make_token=lambda: google.oauth.access_token("desk@example.org"),
    ).open()  # fmt: skip
    yield made
    await made.close()
    parsers.close()
    blobs.close()
    await house.close()


async def test_a_gmail_mailbox_is_kept_in_step(room: ApiRoom, google: GmailServer, temporal_client: Client) -> None:
    box = google.mailboxes["desk@example.org"]
    box.deliver(letter(0, subject="older than wanted"), at=time.time() - 90 * DAY)
    for n in range(1, 13):
        box.deliver(letter(n, subject=f"history {n}"), at=time.time() - n * DAY)

    async def here(*subjects: str) -> bool:
        return set(subjects) <= set(await room.subjects())

    async with syncing(room, temporal_client) as sync:
        await until("the history", lambda: here(*(f"history {n}" for n in range(1, 13))), 15)

        news = box.deliver(letter(20, subject="news"))
        box.deliver(letter(21, subject="ours", sender="desk@example.org", to="carla@customer.example.com"), ("SENT",))
        await asyncio.gather(*(sync.signal(InboxSync.poke) for _ in range(30)))
        await until("new mail and our own", lambda: here("news", "ours"), 10)
        assert (await room.message("ours"))["direction"] == "outbound"
        assert not (await room.message("news"))["historical"]

        box.modify(news, remove=["UNREAD"])
        await until("read at Gmail is read here", lambda: _read(room, "news"), 10)

        await room.rows("update inboxes set paused_at = now() where id = :i", i=room.inbox_id)
        await sync.signal(InboxSync.pause)
        for n in range(30, 36):
            box.deliver(letter(n, subject=f"missed {n}"))
        box.delete(news)
        box.forget_history()
        await room.rows("update inboxes set paused_at = null where id = :i", i=room.inbox_id)
        await sync.signal(InboxSync.resume)
        await until("what came meanwhile", lambda: here(*(f"missed {n}" for n in range(30, 36))), 10)

        async def closed() -> bool:
            return [g["cause"] for g in await room.gaps() if g["closed_at"]] == ["history_404"]

        await until("the gap is closed", closed, 10)
    subjects = await room.subjects()
    assert len(subjects) == len(set(subjects)) == 12 + 2 + 6
    rows = await room.ledger()
    assert rows[news]["gone_at"] is not None
    assert {row["state"] for row in rows.values()} == {"ingested"}
    assert (await room.one("select health from inboxes where id = :i", i=room.inbox_id)) == "ok"


async def _read(room: ApiRoom, subject: str) -> bool:
    return bool((await room.message(subject))["is_read"])
