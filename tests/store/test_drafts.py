"""Drafts beside the rows they hold on to: their files, and what a tenant and an author see of them."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from store import sweep
from store.drafts import DraftChanged, drop_draft, read_draft, save_draft
from store.unit_of_work import Database
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import NOW, Desk, open_desk


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    opened = Database(module_database.url)
    yield await open_desk(opened)
    await opened.close()


async def save(desk: Desk, html: str, *, checked: bool, based_on: dt.datetime | None = None, files: tuple[uuid.UUID, ...] = ()) -> dt.datetime:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await save_draft(
            connection,
            desk.tenant_id,
            desk.conversation_id,
            desk.agent_id,
            html=html,
            subject=None,
            recipients={},
            attachments=[{"id": str(file), "filename": "a.txt", "size_bytes": 3} for file in files],
            checked=checked,
            based_on=based_on,
        )


async def test_of_windows_that_save_at_once_one_stands_and_the_others_are_told(desk: Desk) -> None:
    ends = await asyncio.gather(*(save(desk, str(n), checked=True) for n in range(6)), return_exceptions=True)
    saved = [end for end in ends if isinstance(end, dt.datetime)]
    assert [type(end) for end in ends].count(DraftChanged) == 5
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        row = await read_draft(connection, desk.tenant_id, desk.conversation_id, desk.agent_id)
    assert row is not None
    assert [row.updated_at] == saved
    assert await save(desk, "again", checked=True, based_on=row.updated_at) > row.updated_at


async def test_a_file_that_a_draft_holds_outlives_the_day(desk: Desk) -> None:
    kept, free = uuid.uuid4(), uuid.uuid4()
    for upload in (kept, free):
        await desk.rows(
            """
            insert into uploads (tenant_id, id, filename, content_type, size_bytes, upload_key, created_at)
            values (:tenant, :id, 'a.txt', 'text/plain', 3, :key, :at)
            """,
            id=upload,
            key=f"up/{upload}",
            at=NOW - dt.timedelta(days=3),
        )
    await save(desk, "With a file.", checked=False, files=(kept,))
    async with desk.database.system_unit_of_work() as connection:
        assert (await sweep.tidy(connection, now=NOW)).uploads == 1
    assert [row["id"] for row in await desk.rows("select id from uploads")] == [kept]
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await drop_draft(connection, desk.tenant_id, desk.agent_id, desk.conversation_id)
    async with desk.database.system_unit_of_work() as connection:
        assert (await sweep.tidy(connection, now=NOW)).uploads == 1


@pytest.mark.parametrize("seen", ["nothing", "another"])
async def test_who_has_not_seen_what_stands_is_given_it(desk: Desk, seen: str) -> None:
    at = await save(desk, "First.", checked=True)
    with pytest.raises(DraftChanged) as refused:
        await save(desk, "Second.", checked=True, based_on=None if seen == "nothing" else at - dt.timedelta(seconds=1))
    assert refused.value.current is not None
    assert (refused.value.current.html, refused.value.current.updated_at) == ("First.", at)
