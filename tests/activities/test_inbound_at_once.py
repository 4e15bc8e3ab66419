"""The watch takes the few mails it hears of by itself; whatever is out of the ordinary is left to the pass that follows."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import inbound_at_once, inbound_watch
from activities.inbound_at_once import InboundAtOnce
from activities.turns import FairTurns
from contracts.inbound import WakeReason, WatchOrder, WatchReport
from providers.imap.source import ImapSource
from tests.activities.mail_room import LOCAL, MailRoom, letter

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]


@pytest.fixture
def turns() -> FairTurns:
    return FairTurns(1)


@pytest.fixture
async def quick(room: MailRoom, turns: FairTurns, monkeypatch: pytest.MonkeyPatch) -> MailRoom:
    """The room as the worker composes it, connected and in step."""
    at_once = InboundAtOnce(
        room.database, room.blobs, room.ingestion, under_way=room.fetching._under_way, turns=turns
    )
    monkeypatch.setattr(room.watching, "_at_once", at_once)
    # IDLE is heard before anybody looks by the clock.
    monkeypatch.setattr(room.watching, "_poll_seconds", 60.0)
    monkeypatch.setattr(inbound_watch, "LISTEN_ON", 1.0)
    await room.connect()
    await room.sync()
    return room


async def watched(room: MailRoom, deliver: Deliver, *raws: bytes) -> WatchReport:
    """What the watch reports when `raws` come while it is in IDLE."""
    order = WatchOrder(room.ref.tenant_id, room.ref.inbox_id, 20)
    watching = asyncio.create_task(ActivityEnvironment().run(room.watching.watch, order))
    await asyncio.sleep(0.7)
    assert not watching.done()
    for raw in raws:
        deliver(raw)
    return await asyncio.wait_for(watching, 15)


async def ingested(room: MailRoom, count: int) -> None:
    for _ in range(200):
        if await room.states() == {"ingested": count}:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not {count} messages within ten seconds")


async def test_a_mail_is_a_message_when_the_watch_ends(quick: MailRoom, deliver: Deliver) -> None:
    assert await watched(quick, deliver, letter(1)) == WatchReport(WakeReason.NEW)
    assert await quick.states() == {"ingested": 1}
    assert (await quick.events()).count("message.received") == 1
    again = await quick.fetch()
    assert (again.stored, again.pending, again.answerable) == (0, 0, 0)
    assert await quick.states() == {"ingested": 1}


async def test_mails_that_come_one_after_another_share_the_pass(
    quick: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound_watch, "LISTEN_ON", 4.0)
    order = WatchOrder(quick.ref.tenant_id, quick.ref.inbox_id, 20)
    watching = asyncio.create_task(ActivityEnvironment().run(quick.watching.watch, order))
    await asyncio.sleep(0.7)
    for n in range(3):
        deliver(letter(n))
        await ingested(quick, n + 1)
        assert not watching.done()
    assert await asyncio.wait_for(watching, 10) == WatchReport(WakeReason.NEW)


async def test_where_somebody_is_to_be_answered_the_workflow_is_told_at_once(
    quick: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound_watch, "LISTEN_ON", 60.0)
    await quick.rows("update inboxes set auto_response_enabled = true where id = :i", i=quick.inbox_id)
    assert await watched(quick, deliver, letter(1)) == WatchReport(WakeReason.NEW, 1)


async def test_a_flag_that_changes_meanwhile_ends_the_watch(
    quick: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound_watch, "LISTEN_ON", 60.0)
    order = WatchOrder(quick.ref.tenant_id, quick.ref.inbox_id, 20)
    watching = asyncio.create_task(ActivityEnvironment().run(quick.watching.watch, order))
    await asyncio.sleep(0.7)
    deliver(letter(1))
    await ingested(quick, 1)
    inbox = await quick.accounts.inbox(quick.ref.tenant_id, quick.ref.inbox_id)
    async with ImapSource(quick.accounts.imap(inbox), LOCAL) as other:
        await other.select("INBOX")
        await other.store_flags([1], add=["\\Seen"])
    assert await asyncio.wait_for(watching, 10) == WatchReport(WakeReason.FLAGS)


async def test_more_than_a_few_are_left_to_the_pass(
    quick: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound_at_once, "FEW", 0)
    assert await watched(quick, deliver, letter(1)) == WatchReport(WakeReason.NEW)
    assert await quick.states() == {}
    assert (await quick.fetch()).stored == 1


async def test_an_inbox_that_is_being_fetched_is_not_disturbed(quick: MailRoom, deliver: Deliver) -> None:
    quick.fetching._under_way.add(quick.inbox_id)
    assert await watched(quick, deliver, letter(1)) == WatchReport(WakeReason.NEW)
    assert await quick.states() == {}


async def test_without_a_free_seat_nobody_waits(quick: MailRoom, deliver: Deliver, turns: FairTurns) -> None:
    async with turns.turn("somebody else"):
        assert await watched(quick, deliver, letter(1)) == WatchReport(WakeReason.NEW)
    assert await quick.states() == {}


@pytest.mark.parametrize(
    "change",
    [
        "update inboxes set paused_at = now() where id = :inbox",
        "update inboxes set connected_at = null where id = :inbox",
        "update folders set state = 'parked' where inbox_id = :inbox",
        "update folders set uidvalidity = uidvalidity + 1 where inbox_id = :inbox",
        """insert into gaps (tenant_id, id, inbox_id, folder_id, cause)
           select tenant_id, gen_random_uuid(), inbox_id, id, 'audit' from folders where inbox_id = :inbox and role = 'inbox'""",
    ],
)
async def test_what_is_out_of_the_ordinary_is_left_to_the_pass(
    quick: MailRoom, deliver: Deliver, change: str
) -> None:
    order = WatchOrder(quick.ref.tenant_id, quick.ref.inbox_id, 20)
    watching = asyncio.create_task(ActivityEnvironment().run(quick.watching.watch, order))
    await asyncio.sleep(0.7)
    await quick.rows(change, inbox=quick.inbox_id)
    deliver(letter(1))
    assert await asyncio.wait_for(watching, 15) == WatchReport(WakeReason.NEW)
    assert await quick.states() == {}


async def test_dying_between_storing_and_ingesting_wakes_the_next_attempt(
    quick: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:

        async def die(*_: object, **__: object) -> None:
            raise SystemError

        patched.setattr(quick.ingestion, "drain", die)
        with pytest.raises(ApplicationError):
            await watched(quick, deliver, letter(1))
    assert await quick.states() == {"stored": 1}
    order = WatchOrder(quick.ref.tenant_id, quick.ref.inbox_id, 20)
    again = await asyncio.wait_for(ActivityEnvironment().run(quick.watching.watch, order), 5)
    assert again == WatchReport(WakeReason.NEW)
    await quick.sync()
    assert await quick.states() == {"ingested": 1}


async def test_a_pass_that_takes_over_meanwhile_wins(
    quick: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = quick.ingestion.drain

    async def overtaken(*given: object, **named: object) -> object:
        await quick.rows("update inboxes set lease_epoch = lease_epoch + 1 where id = :i", i=quick.inbox_id)
        return await real(*given, **named)

    monkeypatch.setattr(quick.ingestion, "drain", overtaken)
    assert await watched(quick, deliver, letter(1)) == WatchReport(WakeReason.NEW)
    assert await quick.states() == {"stored": 1}


async def test_a_database_that_refuses_ends_the_watch_and_not_the_step(
    quick: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise OperationalError("insert", {}, Exception())

    monkeypatch.setattr(quick.ingestion, "drain", refuse)
    assert await watched(quick, deliver, letter(1)) == WatchReport(WakeReason.NEW)
