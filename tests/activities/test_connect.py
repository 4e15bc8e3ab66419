"""Connecting to the demo's real servers: both logins, the folders, the first cursors."""

import json
import socket
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.connect import Connecting
from activities.parser_pool import ParserPool
from contracts.connect import ConnectFailure
from contracts.inbound import WakeReason, WatchOrder
from providers import egress
from providers.s3.blobs import BlobStore
from stack.demo_mail import DemoMail
from store.unit_of_work import Database
from tests.activities.mail_room import MailRoom, letter
from tests.providers.test_egress_tricks import SPELLINGS, SYSTEM_RESOLVER


@pytest_asyncio.fixture
async def demo_room(
    mail_database: Database, blobs: BlobStore, parsers: ParserPool, demo_mail: DemoMail
) -> AsyncIterator[MailRoom]:
    account = demo_mail.add_account(f"box-{uuid.uuid4().hex[:12]}@example.com")
    made = await MailRoom(
        mail_database,
        blobs,
        parsers,
        port=demo_mail.imap_port,
        user=account.address,
        password=account.password,
        smtp_port=demo_mail.smtp_port,
        address=account.address,
    ).open()
    yield made
    await made.close()


async def test_both_doors_are_tried(demo_room: MailRoom) -> None:
    report = await ActivityEnvironment().run(demo_room.connecting.verify, demo_room.ref)
    assert [(c.name, c.failure) for c in report.checks] == [("imap", None), ("smtp", None)]
    assert report.ok


async def test_a_closed_door_has_its_name(demo_room: MailRoom) -> None:
    await demo_room.rows("update inboxes set settings = jsonb_set(settings, '{imap,port}', '1')")
    report = await ActivityEnvironment().run(demo_room.connecting.verify, demo_room.ref)
    assert [c.failure for c in report.checks] == ["Unreachable", None]


async def test_hosts_inside_are_all_told_alike(demo_room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """X-21, X-22: what a tenant writes as a host says nothing about what stands there, and is final."""

    def numbers_only(host: Any, port: Any, *_: Any, **__: Any) -> Any:
        return SYSTEM_RESOLVER(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)

    monkeypatch.setattr(socket, "getaddrinfo", numbers_only)
    monkeypatch.setattr(egress, "BLUR", (0.0, 0.0))
    strict = Connecting(demo_room.database, demo_room.pool, demo_room.accounts, egress.EgressPolicy())
    answers = set()
    for host in SPELLINGS:
        # The demo's servers do listen on this machine, on ports that nobody else would be allowed.
        for ports in ((demo_room.port, demo_room.smtp_port), (993, 587)):
            server = {"host": host, "security": "plain", "username": demo_room.user, "auth": "password"}
            settings = {"imap": {**server, "port": ports[0]}, "smtp": {**server, "port": ports[1]}}
            await demo_room.rows("update inboxes set settings = cast(:s as jsonb)", s=json.dumps(settings))
            report = await ActivityEnvironment().run(strict.verify, demo_room.ref)
            answers.add(tuple(c.failure for c in report.checks))
    assert answers == {("EgressBlocked", "EgressBlocked")}


async def test_a_failure_is_written_where_people_see_it(demo_room: MailRoom) -> None:
    told = ConnectFailure(demo_room.ref.tenant_id, demo_room.ref.inbox_id, "AuthFailed")
    await ActivityEnvironment().run(demo_room.connecting.fail, told)
    (inbox,) = await demo_room.rows("select health, connected_at, last_error from inboxes")
    assert (inbox["health"], inbox["connected_at"]) == ("auth_failed", None)
    assert "password" in inbox["last_error"]


async def test_first_cursors_part_history_from_live_mail(demo_room: MailRoom, demo_mail: DemoMail) -> None:
    demo_mail.deliver(demo_room.user, letter(1))
    report = await ActivityEnvironment().run(demo_room.connecting.discover, demo_room.ref)
    assert (len(report.synced), report.backfill) == (2, True)
    demo_mail.deliver(demo_room.user, letter(2, parents=("<m1@customer.example.com>",)))
    again = await ActivityEnvironment().run(demo_room.connecting.discover, demo_room.ref)
    assert again.synced == report.synced
    assert (await demo_room.sync()).ingested == 1
    assert (await demo_room.backfill()).done == 1
    assert len(await demo_room.threads()) == 1
    assert await demo_room.one("select connected_at is not null from inboxes")


async def test_a_server_without_condstore_is_watched_by_looking(demo_room: MailRoom, demo_mail: DemoMail) -> None:
    await demo_room.connect()
    demo_mail.deliver(demo_room.user, letter(1))
    order = WatchOrder(demo_room.ref.tenant_id, demo_room.ref.inbox_id, 20)
    assert (await ActivityEnvironment().run(demo_room.watching.watch, order)).reason is WakeReason.NEW
    await demo_room.sync()
    order = WatchOrder(demo_room.ref.tenant_id, demo_room.ref.inbox_id, 2)
    assert (await ActivityEnvironment().run(demo_room.watching.watch, order)).reason is WakeReason.TIMEOUT
