"""Announcements from the provider to the row: new mail within seconds though nobody polls, loss that polling makes good and the meter
shows, and a thousand announcements at once that cost next to nothing.
"""

import asyncio
import datetime as dt
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle

from activities.parser_pool import ParserPool
from providers.egress import tls_context
from providers.s3.blobs import BlobStore
from store.push_meter import PushView, read_push
from store.unit_of_work import Database
from tests.activities.api_room import ApiRoom
from tests.activities.mail_room import SECRET, letter
from tests.conftest import S3Server
from tests.journeys.api_mailroom import syncing
from tests.journeys.driver import until
from tests.journeys.push_desk import PushDesk, push_desk
from tests.servers.certificates import Certificates
from tests.servers.databases import Database as ServerDatabase
from tests.servers.gmail_server import GmailServer
from tests.servers.google_push import GooglePush, announcement
from tests.servers.graph_server import GraphServer

ADDRESS = "desk@example.org"
NEVER = 600.0  # a poll interval that no test waits for
MAILS, CALLS = 60, 1000


@pytest.fixture(scope="module")
def parsers() -> Any:
    pool = ParserPool(workers=1, secret=SECRET)
    yield pool
    pool.close()


@pytest_asyncio.fixture(params=["gmail", "graph"])
async def desk(
    request: pytest.FixtureRequest,
    database: ServerDatabase,
    s3_server: S3Server,
    google: GmailServer,
    certificates: Certificates,
    temporal_client: Client,
    parsers: ParserPool,
) -> AsyncIterator[PushDesk]:
    house = Database(database.url, pool_size=8)
    blobs = BlobStore(s3_server.endpoint, s3_server.bucket, s3_server.access_key, s3_server.secret_key, s3_server.region)
    with GraphServer() as graph:
        at_google = request.param == "gmail"
        server: GmailServer | GraphServer = google if at_google else graph
        google.add_mailbox(ADDRESS)
        graph.mailbox(ADDRESS)
        room = await ApiRoom(
            house, blobs, parsers, port=1, user="", password="", provider=request.param, remember=True,
            root=google.url if at_google else graph.root, tls=certificates.client_context() if at_google else tls_context(),
            make_token=lambda: (google.oauth if at_google else graph.login).access_token(ADDRESS),
        ).open()  # fmt: skip
        async with push_desk(room, server, database.url, temporal_client, GooglePush()) as made:
            yield made
        await room.close()
    blobs.close()
    await house.close()


async def meter(room: ApiRoom) -> PushView:
    async with room.database.unit_of_work(room.tenant_id) as connection:
        return await read_push(connection, room.tenant_id, room.inbox_id, now=dt.datetime.now(dt.UTC))


async def test_mail_is_announced_and_what_is_not_is_found_by_looking(
    desk: PushDesk, temporal_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, box = desk.room, desk.box

    async def here(subject: str) -> bool:
        return subject in await room.subjects()

    async def looked() -> bool:
        return (await meter(room)).poll_seconds == NEVER

    await desk.watch()
    desk.looks_every(NEVER)
    async with syncing(room, temporal_client):
        await until("the first look is over", looked, 15)
        box.deliver(letter(1, subject="announced"))
        assert set(await desk.post(desk.said())) == {202}
        await until("mail that was announced", lambda: here("announced"), 15)
        await asyncio.sleep(1.2)  # of Gmail, announcements are told apart by their time
        box.deliver(letter(2, subject="dropped"))
        assert desk.said(), "said, and lost on its way"
        await asyncio.sleep(0.5)
        assert not await here("dropped")
    monkeypatch.setattr("rules.push_poll.NOTICE_SECONDS", 1)
    desk.looks_every(1)
    async with syncing(room, temporal_client):
        await until("mail that was not announced", lambda: here("dropped"), 15)

        async def counted() -> PushView | None:
            view = await meter(room)
            return view if view.found == 2 else None

        view = await until("both are counted", counted, 15)
    assert (view.missed, view.poll_seconds, view.state(dt.datetime.now(dt.UTC))) == (1, 1, "on")
    assert view.last_notice_at is not None
    assert sorted(await room.subjects()) == ["announced", "dropped"]


def storm(desk: PushDesk, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A thousand calls out of what was told: each as often as it takes, in any order, among them some that are long stale."""
    calls = [body for n in range(CALLS) for body in told[n % len(told) : n % len(told) + 1]]
    if desk.room.provider == "gmail":
        calls[: CALLS // 10] = [announcement(ADDRESS, n + 1, f"stale {n}") for n in range(CALLS // 10)]
    random.Random(9).shuffle(calls)
    return calls


async def test_a_thousand_notices_are_one_row_for_each_mail_and_few_looks(desk: PushDesk, temporal_client: Client) -> None:
    room, box = desk.room, desk.box
    await desk.watch()
    desk.looks_every(2)
    async with syncing(room, temporal_client) as sync:
        await until("the first look is over", lambda: _polled(room), 15)
        began, told = time.monotonic(), []
        for n in range(MAILS):
            box.deliver(letter(n, subject=f"mail {n}"))
            told += desk.said()
        half = storm(desk, told)
        answers = await desk.post(half[: CALLS // 2])
        box.deliver(letter(MAILS, subject=f"mail {MAILS}"))
        last = desk.said()
        answers += await desk.post([*half[CALLS // 2 :], *last, *last])
        foreign = await desk.post(strangers(desk), token=GooglePush().token())
        if room.provider == "gmail":  # signed by Google, but for another subscription; and for a mailbox that is nobody's here
            foreign += await desk.post(strangers(desk), token=desk.google.token(email="push@elsewhere.iam.example.com"))
            answers += await desk.post([announcement("stranger@example.org", 10**9, "nobody's")])
        lasted = time.monotonic() - began
        expected = {f"mail {n}" for n in range(MAILS + 1)}

        async def all_here() -> bool:
            return expected <= set(await room.subjects())

        await until("every mail", all_here, 20)
        fetches, most, pokes = await _fetches(sync)
    assert set(answers) == {202}
    assert set(foreign) == {401}
    assert sorted(await room.subjects()) == sorted(expected), "each once"
    assert len(await room.ledger()) == MAILS + 1
    notices = await room.rows("select event_id, news from push_notices where inbox_id = :i", i=room.inbox_id)
    assert len(notices) == len(told) + len(last) + (CALLS // 10 if room.provider == "gmail" else 0), "each announcement once"
    assert most == 1, "never two looks at once; a second one at most waits"
    assert pokes <= lasted / 2 + 3, "at most one wake-up in two seconds"
    assert fetches <= pokes + lasted / 2 + 8, "what was announced, and the polls"


def strangers(desk: PushDesk) -> list[dict[str, Any]]:
    """Signed by somebody else, or with somebody else's secret."""
    if desk.room.provider == "gmail":
        return [announcement(ADDRESS, 10**9, f"foreign {n}") for n in range(5)]
    (one,) = desk.provider.subscriptions.open.values()  # type: ignore[union-attr]
    notice = {"subscriptionId": one.id, "changeType": "created", "clientState": "somebody else's", "resource": "x", "id": "foreign"}
    return [{"value": [notice]}, {"value": [notice | {"subscriptionId": "unknown", "clientState": one.client_state}]}]


async def _polled(room: ApiRoom) -> bool:
    return (await meter(room)).poll_seconds is not None


async def _fetches(sync: WorkflowHandle[Any, Any]) -> tuple[int, int, int]:
    """How many looks there were, how many at most at once, and how often somebody asked for one: from the run's history."""
    fetches, most, pokes, going = 0, 0, 0, set()
    async for event in sync.fetch_history_events():
        scheduled = event.activity_task_scheduled_event_attributes
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            pokes += 1
        elif scheduled.activity_type.name == "inbound.fetch":
            fetches += 1
            going.add(event.event_id)
            most = max(most, len(going))
        else:
            going.discard(event.activity_task_completed_event_attributes.scheduled_event_id)
    return fetches, most, pokes
