"""Budgets of automatic mails: exact under rivals, sliding with time, separate for each correspondent."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from store import loop_budgets
from store.unit_of_work import Database
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import NOW, Desk, open_desk

CAPS = {
    "correspondent_caps": {10: 3},
    "everywhere_caps": {10: 4},
    "inbox_caps": {60: 5},
    "tenant_caps": {60: 7},
}


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    database = Database(module_database.url)
    yield await open_desk(database)
    await database.close()


async def take(
    desk: Desk, key: str = "a@example.com", *, at: dt.datetime = NOW, caps: dict[str, Any] | None = None
) -> str | None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        spent = await loop_budgets.take(
            connection,
            tenant_id=desk.tenant_id,
            inbox_id=desk.inbox_id,
            correspondent_key=key,
            now=at,
            **(caps or CAPS),
        )
    return None if spent is None else spent.budget


async def another_inbox(desk: Desk) -> dict[str, Any]:
    (row,) = await desk.rows(
        "insert into inboxes (tenant_id, name, email_address) values (:tenant, 'B', 'b@example.org') returning id"
    )
    return row


async def test_each_budget_ends_exactly_at_its_size_even_among_rivals(desk: Desk) -> None:
    answers = await asyncio.gather(*(take(desk) for _ in range(9)))
    assert sorted(str(a) for a in answers) == ["None"] * 3 + ["correspondent"] * 6
    assert [await take(desk, "b@example.com") for _ in range(2)] == [None, None]
    assert await take(desk, "c@example.com") == "inbox"


async def test_a_refused_mail_is_not_counted_and_time_frees_the_budget(desk: Desk) -> None:
    for _ in range(10):
        await take(desk)
    assert await take(desk, at=NOW + dt.timedelta(minutes=9)) == "correspondent"
    assert await take(desk, at=NOW + dt.timedelta(minutes=25)) is None
    (row,) = await desk.rows("select sum(count) as sum from loop_budgets where correspondent_key = '*'")
    assert row["sum"] == 4


async def test_the_tenants_budget_spans_its_inboxes(desk: Desk) -> None:
    small = {**CAPS, "correspondent_caps": {10: 9}, "inbox_caps": {60: 9}, "tenant_caps": {60: 2}}
    row = await another_inbox(desk)
    assert await take(desk, caps=small) is None
    desk.inbox_id = row["id"]
    assert await take(desk, caps=small) is None
    assert await take(desk, caps=small) == "tenant"


async def test_one_person_has_a_budget_over_all_inboxes(desk: Desk) -> None:
    assert [await take(desk) for _ in range(3)] == [None] * 3
    desk.inbox_id = (await another_inbox(desk))["id"]
    assert [await take(desk) for _ in range(2)] == [None, "everywhere"]
    assert await take(desk, "b@example.com") is None


async def test_old_buckets_are_forgotten(desk: Desk) -> None:
    await take(desk)
    async with desk.database.system_unit_of_work() as connection:
        assert await loop_budgets.forget(connection, before=NOW + dt.timedelta(days=1)) >= 2
    assert await desk.rows("select id from loop_budgets") == []
