"""Waking a snoozed conversation: by its time, by a mail of the customer, once, and never before."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from activities.snooze import Snoozing
from contracts.refs import ConversationRef
from contracts.snooze import SnoozeLook, SnoozeState
from mail.values import Address
from models.enums import Direction
from store import sweep
from store.bulk import new_id
from store.placing import Placeable, place_mails
from store.snoozing import Sleep, is_asleep, wake_if_due
from store.unit_of_work import Database
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import NOW, Desk, open_desk

SOON = NOW + dt.timedelta(hours=1)
KEY = "<first@customer.example.com>"


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    opened = Database(module_database.url)
    made = await open_desk(opened)
    await made.rows("update conversations set status = 'snoozed', snoozed_until = :until", until=SOON)
    await made.rows(
        "insert into thread_keys (tenant_id, inbox_id, key, kind, conversation_id) values (:tenant, :i, :k, 'message_id', :c)",
        i=made.inbox_id,
        k=KEY,
        c=made.conversation_id,
    )
    yield made
    await opened.close()


async def wake(desk: Desk, at: dt.datetime) -> Sleep:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await wake_if_due(connection, desk.tenant_id, desk.conversation_id, now=at)


async def mail(desk: Desk, *, auto: bool = False, historical: bool = False) -> None:
    """An answer of the customer, placed as the inbound path does."""
    letter = Placeable(
        new_id(), f"<{new_id()}@customer.example.com>", (KEY,), Direction.INBOUND, Address("carla@customer.example.com", "Carla"),
        (Address("desk@example.org"),), "Re: Printer", "printer", "Still burning.", NOW, unread=True, historical=historical, auto=auto,
    )  # fmt: skip
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        placed = await place_mails(connection, desk.tenant_id, desk.inbox_id, [letter], own=frozenset({"desk@example.org"}))
    assert placed[letter.message_id].conversation_id == desk.conversation_id


async def changes(desk: Desk) -> list[dict[str, object]]:
    rows = await desk.rows("select payload from events where type = 'conversation.updated' and payload ? 'woken' order by id")
    return [row["payload"] for row in rows]


async def test_it_sleeps_to_the_microsecond_and_wakes_once(desk: Desk) -> None:
    early = await wake(desk, SOON - dt.timedelta(microseconds=1))
    assert (early.woken, early.seconds) == (False, pytest.approx(0.000001))
    asleep = await desk.conversation()
    ends = await asyncio.gather(*(wake(desk, SOON) for _ in range(5)))
    assert sorted(end.woken for end in ends) == [False] * 4 + [True]
    woken = await desk.conversation()
    assert (woken["status"], woken["snoozed_until"], woken["version"]) == ("open", None, asleep["version"] + 1)
    (told,) = await changes(desk)
    assert told == {"version": woken["version"], "changed": ["status"], "status": "open", "woken": True}
    assert await wake(desk, SOON) == Sleep()


@pytest.mark.parametrize("status", ["pending", "snoozed", "closed", "archived"])
async def test_a_mail_of_the_customer_opens_it_at_once_and_the_timer_finds_nothing_to_do(desk: Desk, status: str) -> None:
    await desk.rows("update conversations set status = :status", status=status)
    await mail(desk)
    opened = await desk.conversation()
    assert (opened["status"], opened["snoozed_until"]) == ("open", None)
    assert await wake(desk, SOON + dt.timedelta(days=1)) == Sleep()
    assert (await desk.conversation())["version"] == opened["version"]
    assert await changes(desk) == []


async def test_automatic_and_old_mail_wakes_nobody_and_spam_stays(desk: Desk) -> None:
    await mail(desk, auto=True)
    await mail(desk, historical=True)
    assert (await desk.conversation())["status"] == "snoozed"
    await desk.rows("update conversations set status = 'spam'")
    await mail(desk)
    assert (await desk.conversation())["status"] == "spam"


@pytest.mark.parametrize("gone", ["deleted_at = now()", "status = 'closed'", "snoozed_until = null", "merged_into = id"])
async def test_what_is_gone_or_was_changed_is_not_woken(desk: Desk, gone: str) -> None:
    await desk.rows(f"update conversations set {gone}")
    assert await wake(desk, SOON + dt.timedelta(days=9)) == Sleep()
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        assert await is_asleep(connection, desk.tenant_id, desk.conversation_id) == ("closed" not in gone)


async def test_the_step_says_how_long_it_sleeps_and_wakes_late_after_an_outage(desk: Desk) -> None:
    ref = ConversationRef(str(desk.tenant_id), str(desk.conversation_id))
    clock = NOW
    step = Snoozing(desk.database, clock=lambda: clock)
    assert await step.wake(ref) == SnoozeLook(SnoozeState.WAITING, 3600.0)
    clock = SOON + dt.timedelta(days=3)
    assert await step.wake(ref) == SnoozeLook(SnoozeState.WOKEN)
    assert await step.wake(ref) == SnoozeLook(SnoozeState.OVER)


async def test_the_sweep_finds_what_is_due_and_leaves_the_rest_asleep(desk: Desk) -> None:
    async def found(at: dt.datetime) -> bool:
        async with desk.database.system_unit_of_work() as connection:
            rows = await sweep.find(connection, kind="snoozes", after=None, full=True, now=at)
        return desk.conversation_id in [row.id for row in rows]

    assert not await found(SOON - dt.timedelta(seconds=91))
    assert await found(SOON - dt.timedelta(seconds=90))
    assert await found(SOON + dt.timedelta(days=30))
    await wake(desk, SOON)
    assert not await found(SOON)
