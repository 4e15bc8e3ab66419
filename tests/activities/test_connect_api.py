"""Connecting mailboxes at Gmail and Graph: whose mailbox, which folders, and what people read where the answer is no."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.parser_pool import ParserPool
from contracts.connect import ConnectReport, DiscoverReport
from providers.egress import tls_context
from providers.s3.blobs import BlobStore
from store.unit_of_work import Database
from tests.activities.api_room import ApiRoom
from tests.servers.graph_server import GraphServer

ADDRESS = "desk@example.org"


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with GraphServer() as server:
        server.mailbox(ADDRESS)
        yield server
        assert server.forgotten == []


@pytest_asyncio.fixture
async def graph_room(
    mail_database: Database, blobs: BlobStore, parsers: ParserPool, graph: GraphServer
) -> AsyncIterator[ApiRoom]:
    made = await ApiRoom(
        mail_database, blobs, parsers, port=1, user="", password="",
        provider="graph", root=graph.root, tls=tls_context(), make_token=lambda: graph.login.access_token(ADDRESS),
    ).open()  # fmt: skip
    yield made
    await made.close()


@pytest.fixture(params=["gmail_room", "graph_room"])
def room(request: pytest.FixtureRequest) -> ApiRoom:
    made: ApiRoom = request.getfixturevalue(request.param)
    return made


async def verified(room: ApiRoom) -> dict[str, str | None]:
    report: ConnectReport = await ActivityEnvironment().run(room.connecting.verify, room.ref)
    return {check.name: check.failure for check in report.checks}


async def test_the_mailbox_and_its_folders_are_tried(room: ApiRoom) -> None:
    assert await verified(room) == {"mailbox": None, "folders": None}
    assert await room.rows("select * from folders where inbox_id = :i", i=room.inbox_id) == []


async def test_an_account_with_another_address_is_refused_by_name(room: ApiRoom) -> None:
    await room.rows("update inboxes set email_address = 'other@example.org' where id = :i", i=room.inbox_id)
    assert await verified(room) == {"mailbox": "OtherMailbox"}
    await room.rows("update inboxes set email_address = 'DESK@Example.org' where id = :i", i=room.inbox_id)
    assert (await verified(room))["mailbox"] is None


async def test_a_withdrawn_grant_asks_for_consent_and_not_for_a_password(room: ApiRoom) -> None:
    room.tokens.ended = True
    assert await verified(room) == {"mailbox": "ConsentNeeded"}


async def test_connecting_learns_the_folders_by_role_and_the_sync_lists_the_rest(room: ApiRoom) -> None:
    await room.rows(
        "update inboxes set connected_at = null, health = 'connecting' where id = :i", i=room.inbox_id
    )
    for _ in range(2):
        report: DiscoverReport = await ActivityEnvironment().run(room.connecting.discover, room.ref)
        folders = await room.rows("select * from folders where inbox_id = :i", i=room.inbox_id)
        synced = {row["role"] for row in folders if row["synced"]}
        assert synced == ({"all"} if room.provider == "gmail" else {"inbox", "sent"})
        assert {"inbox", "sent", "junk"} <= {row["role"] for row in folders}
        assert (report.folders, len(report.synced), report.backfill) == (len(folders), len(synced), False)
        assert await room.one("select health from inboxes where id = :i", i=room.inbox_id) == "ok"
        await room.settle()
