"""Watching: it returns when there is reason to, keeps still otherwise, and lets go when it is told to."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from contracts.inbound import WakeReason, WatchOrder
from providers.errors import Unreachable
from providers.imap.source import ImapSource
from tests.activities.mail_room import LOCAL, MailRoom, letter

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]


async def watch(room: MailRoom, seconds: int = 20) -> WakeReason:
    order = WatchOrder(room.ref.tenant_id, room.ref.inbox_id, seconds)
    return (await ActivityEnvironment().run(room.watching.watch, order)).reason


async def test_mail_that_came_before_the_watch_wakes_at_once(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1))
    assert await watch(room) is WakeReason.NEW


async def test_new_mail_wakes(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    await room.sync()
    watching = asyncio.create_task(watch(room))
    await asyncio.sleep(0.5)
    assert not watching.done()
    deliver(letter(1))
    assert await asyncio.wait_for(watching, 10) is WakeReason.NEW


async def test_an_answer_in_sent_is_noticed_by_looking(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    await room.sync()
    watching = asyncio.create_task(watch(room))
    await asyncio.sleep(0.3)
    async with ImapSource(room.accounts.imap(await room.accounts.inbox(*_ids(room))), LOCAL) as other:
        await other.append("Sent", letter(1, sender="desk@example.org"))
    assert await asyncio.wait_for(watching, 10) is WakeReason.NEW


async def test_flags_wake_by_their_name(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1))
    await room.sync()
    watching = asyncio.create_task(watch(room))
    await asyncio.sleep(0.5)
    async with ImapSource(room.accounts.imap(await room.accounts.inbox(*_ids(room))), LOCAL) as other:
        await other.select("INBOX")
        await other.store_flags([1], add=["\\Seen"])
    assert await asyncio.wait_for(watching, 10) is WakeReason.FLAGS
    await room.sync(flags=True)
    assert await watch(room, seconds=1) is WakeReason.TIMEOUT


async def test_nothing_happens_until_the_time_is_up(room: MailRoom) -> None:
    await room.connect()
    await room.sync()
    assert await watch(room, seconds=2) is WakeReason.TIMEOUT


async def test_without_idle_it_looks_by_itself(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImapSource, "can_idle", property(lambda _: False))
    await room.connect()
    await room.sync()
    watching = asyncio.create_task(watch(room))
    await asyncio.sleep(0.3)
    deliver(letter(1))
    assert await asyncio.wait_for(watching, 10) is WakeReason.NEW


async def test_a_server_that_is_away_ends_the_watch(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    await room.connect()

    async def away(*_: Any) -> Any:
        raise Unreachable

    monkeypatch.setattr(ImapSource, "examine", away)
    assert await watch(room) is WakeReason.CLOSED


async def test_an_inbox_that_is_paused_is_not_watched(room: MailRoom) -> None:
    await room.connect()
    await room.rows("update inboxes set paused_at = now()")
    assert await watch(room) is WakeReason.NOT_CONNECTED


async def test_cancelling_lets_go_at_once(room: MailRoom) -> None:
    await room.connect()
    await room.sync()
    environment = ActivityEnvironment()
    order = WatchOrder(room.ref.tenant_id, room.ref.inbox_id, 60)
    watching = asyncio.create_task(environment.run(room.watching.watch, order))
    await asyncio.sleep(0.5)
    environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(watching, 3)


async def test_a_worker_that_stops_lets_another_one_watch(room: MailRoom) -> None:
    await room.connect()
    await room.sync()
    environment = ActivityEnvironment()
    order = WatchOrder(room.ref.tenant_id, room.ref.inbox_id, 60)
    watching = asyncio.create_task(environment.run(room.watching.watch, order))
    await asyncio.sleep(0.5)
    environment.worker_shutdown()
    with pytest.raises(ApplicationError) as error:
        await asyncio.wait_for(watching, 3)
    assert (error.value.type, error.value.non_retryable) == ("WorkerStopping", False)


def _ids(room: MailRoom) -> tuple[str, str]:
    return room.ref.tenant_id, room.ref.inbox_id


@pytest.mark.parametrize("why", ["audit", "gap"])
async def test_an_idle_inbox_is_woken_for_what_is_due(room: MailRoom, why: str) -> None:
    """The night of its balance sheet, or a gap that was opened behind its back: neither waits for the next mail."""
    await room.connect()
    await room.fetch()
    if why == "audit":
        await room.rows("update inboxes set audit_due_at = now() + interval '1 second'")
    else:
        await room.rows(
            "insert into gaps (tenant_id, inbox_id, folder_id, cause) select tenant_id, inbox_id, id, 'lost_state' from folders where role = 'inbox'"
        )
    began = time.monotonic()
    report = await ActivityEnvironment().run(room.watching.watch, WatchOrder(room.ref.tenant_id, room.ref.inbox_id, 600))
    assert report.reason is WakeReason.TIMEOUT
    assert time.monotonic() - began < 20
    await room.rows("update inboxes set audit_due_at = now() where audit_due_at < now() + interval '1 hour'")
    await room.fetch()
    assert await room.rows("select 1 from gaps where closed_at is null") == []
    assert await room.one("select count(*) from audits") >= 1
