"""The step of a bulk change: it goes on where a dead worker stopped, two at once change nothing twice, and rights are those of now."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import store.bulk_steps
from activities.bulk_change import BulkChanging
from contracts.bulk import BulkProgress, BulkRef
from store.bulk import new_id
from store.bulk_one import change_one
from store.bulks import create_bulk, order_undo
from store.unit_of_work import Database
from store.visibility import Viewer
from tests.store.shape_desk import ShapeDesk, open_shape_desk


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(module_database) -> AsyncIterator[Database]:
    made = Database(module_database.url, pool_size=4)
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(house: Database) -> ShapeDesk:
    """Thirty open conversations."""
    made = await open_shape_desk(house)
    await made.rows(
        "insert into conversations (tenant_id, id, number, inbox_id)"
        " select :tenant, uuidv7(), n, :inbox from generate_series(1, 30) as n",
        inbox=made.inbox_id,
    )
    return made


async def asked(desk: ShapeDesk, viewer: Viewer | None = None, **change: object) -> BulkRef:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        run = await create_bulk(connection, viewer or desk.viewer, change, await desk.living())
    assert run is not None
    return BulkRef(str(desk.tenant_id), str(run.id))


async def stepped(desk: ShapeDesk, ref: BulkRef, slice_size: int = 100) -> BulkProgress:
    """As a worker runs it."""
    return await ActivityEnvironment().run(BulkChanging(desk.database, slice_size=slice_size).step, ref)


async def changes_told(desk: ShapeDesk) -> list[int]:
    rows = await desk.rows(
        "select count(*) as n from events where type = 'conversation.updated' group by conversation_id"
    )
    return [r["n"] for r in rows]


async def test_a_worker_that_dies_half_way_loses_its_slice_and_no_more(desk: ShapeDesk, monkeypatch) -> None:
    ref, looked_at = await asked(desk, priority="high"), 0

    async def dies(*arguments):
        nonlocal looked_at
        looked_at += 1
        if looked_at == 15:
            raise asyncio.CancelledError
        return await change_one(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(store.bulk_steps, "change_one", dies)
        with pytest.raises(asyncio.CancelledError):
            await stepped(desk, ref, 10)
    (half,) = await desk.rows("select done, state from bulks")
    assert half == {"done": 10, "state": "running"}
    assert len(await desk.rows("select 1 from conversations where priority = 'high'")) == 10

    progress = await stepped(desk, ref, 10)
    assert (progress.state, progress.done, progress.changed) == ("done", 30, 30)
    assert await changes_told(desk) == [1] * 30
    assert (await stepped(desk, ref)) == progress


async def test_two_at_once_change_each_conversation_once(desk: ShapeDesk) -> None:
    ref = await asked(desk, status="closed")
    reports = await asyncio.gather(*(stepped(desk, ref, 4) for _ in range(3)))
    assert {r.state for r in reports} == {"done"}
    assert (await desk.rows("select done, changed from bulks")) == [{"done": 30, "changed": 30}]
    assert await changes_told(desk) == [1] * 30


async def test_an_undo_restores_what_nobody_changed_since_and_says_how_much_it_left(desk: ShapeDesk) -> None:
    first, second, *_ = await desk.living()
    await desk.rows("update conversations set priority = 'urgent' where id = :c", c=second)
    ref = await asked(desk, priority="low", status="pending")
    await stepped(desk, ref, 7)
    await desk.rows("update conversations set status = 'closed' where id = :c", c=first)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await order_undo(connection, desk.tenant_id, uuid.UUID(ref.bulk_id), actor="api")
    progress = await stepped(desk, ref, 7)
    assert (progress.state, progress.restored, progress.left) == ("undone", 29, 1)
    rows = {r["id"]: (r["status"], r["priority"]) for r in await desk.rows("select id, status, priority from conversations")}
    assert rows.pop(first) == ("closed", "normal")
    assert rows.pop(second) == ("open", "urgent")
    assert set(rows.values()) == {("open", "normal")}


async def test_whoever_lost_the_right_changes_nothing_more(desk: ShapeDesk) -> None:
    person = new_id()
    await desk.rows(
        "insert into users (tenant_id, id, email, email_key, name, role) values (:tenant, :u, :m, :m, 'Ada', 'agent')",
        u=person,
        m=f"{person.hex}@example.org",
    )
    ref = await asked(desk, Viewer(desk.tenant_id, person, False), priority="high")
    await desk.rows("update users set role = 'viewer' where id = :u", u=person)
    progress = await stepped(desk, ref)
    assert (progress.state, progress.done, progress.changed) == ("done", 30, 0)
    assert await desk.rows("select 1 from conversations where priority <> 'normal'") == []


async def test_a_merged_conversation_is_skipped(desk: ShapeDesk) -> None:
    one, other, *_ = await desk.living()
    ref = await asked(desk, category="billing")
    await desk.rows("update conversations set merged_into = :o, merged_under = :o where id = :c", o=other, c=one)
    progress = await stepped(desk, ref)
    assert (progress.done, progress.changed) == (30, 29)
    states = await desk.rows("select state from bulk_changes where conversation_id = :c", c=one)
    assert states == [{"state": "skipped"}]


async def test_an_unknown_run_is_said_to_be_unknown(desk: ShapeDesk) -> None:
    with pytest.raises(ApplicationError) as told:
        await stepped(desk, BulkRef(str(desk.tenant_id), str(uuid.uuid4())))
    assert told.value.type == "NotFound"


async def test_what_a_run_keeps_is_what_it_replaced(desk: ShapeDesk) -> None:
    ref = await asked(desk, status="closed", add_tags=["done"])
    await stepped(desk, ref)
    (row,) = await desk.rows("select before, after from bulk_changes limit 1")
    assert row["before"] == {"status": "open", "tags": {"added": ["done"], "removed": []}} | {
        n: None for n in ("snoozed_until",) if n in row["before"]
    }
    assert json.dumps(row["after"]).count("closed") == 1
