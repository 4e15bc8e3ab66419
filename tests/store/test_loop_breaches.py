"""Used-up budgets: one notice for each breach, a pause while it lasts, and who is meant by it."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from store import loop_breaches
from store.unit_of_work import Database
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import NOW, Desk, open_desk

MINUTE = dt.timedelta(minutes=1)


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    database = Database(module_database.url)
    yield await open_desk(database)
    await database.close()


def place(desk: Desk, key: str, at: dt.datetime) -> dict[str, Any]:
    return {"tenant_id": desk.tenant_id, "inbox_id": desk.inbox_id, "correspondent_key": key, "now": at}


async def breach(desk: Desk, budget: str, key: str = "a@example.com", at: dt.datetime = NOW) -> bool:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await loop_breaches.open_breach(
            connection, **place(desk, key, at), budget=budget, until=at + 10 * MINUTE
        )


async def paused(desk: Desk, key: str = "a@example.com", at: dt.datetime = NOW) -> str | None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await loop_breaches.held_back(connection, **place(desk, key, at))


async def test_a_breach_is_told_once_also_among_rivals_and_anew_when_it_comes_again(desk: Desk) -> None:
    assert sorted(await asyncio.gather(*(breach(desk, "inbox") for _ in range(6)))) == [False] * 5 + [True]
    assert not await breach(desk, "inbox", at=NOW + 9 * MINUTE)  # the pause is longer now
    assert not await breach(desk, "inbox", at=NOW + 18 * MINUTE)
    assert await breach(desk, "inbox", at=NOW + 29 * MINUTE)
    notices = await desk.rows("select payload from events where type = 'inbox.updated' order by id")
    assert [n["payload"]["until"] for n in notices] == [
        (NOW + n * MINUTE).isoformat() for n in (10, 39)
    ]


async def test_a_pause_holds_for_whom_it_was_meant(desk: Desk) -> None:
    await breach(desk, "correspondent")
    assert await paused(desk) == "correspondent"
    assert await paused(desk, "b@example.com") is None
    assert await paused(desk, at=NOW + 10 * MINUTE) is None
    mine = desk.inbox_id
    (other,) = await desk.rows(
        "insert into inboxes (tenant_id, name, email_address) values (:tenant, 'B', 'b@example.org') returning id"
    )
    desk.inbox_id = other["id"]
    assert await paused(desk) is None
    await breach(desk, "everywhere", "b@example.com")
    desk.inbox_id = mine
    assert await paused(desk, "b@example.com") == "everywhere"
    assert await paused(desk, "c@example.com") is None
    await breach(desk, "tenant")
    desk.inbox_id = other["id"]
    assert await paused(desk, "c@example.com") == "tenant"


async def test_what_is_paused_now_can_be_read_with_what_was_held_back(desk: Desk) -> None:
    await breach(desk, "correspondent")
    for _ in range(3):
        await paused(desk, at=NOW + MINUTE)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        (current,) = await loop_breaches.current_breaches(
            connection, desk.tenant_id, desk.inbox_id, NOW + 2 * MINUTE
        )
        later = await loop_breaches.current_breaches(
            connection, desk.tenant_id, desk.inbox_id, NOW + 11 * MINUTE
        )
    assert (current.budget, current.held_back, current.last_at) == ("correspondent", 4, NOW + MINUTE)
    assert later == []
    async with desk.database.system_unit_of_work() as connection:
        assert await loop_breaches.forget(connection, before=NOW + 60 * MINUTE) >= 1
