"""Saved views and counters through the desk's turn: exact lists at every moment, exact counters after any operations."""

import uuid
from collections import Counter
from dataclasses import replace

import pytest_asyncio
from sqlalchemy import text

from activities.desk_turn import DeskTurn
from activities.desk_views import Views
from activities.event_line import EventLine
from models.enums import ListOrder
from store.box_counts import read_boxes
from store.conversation_keys import ListFilter
from store.counter_checks import ask_for_checks, counter_drift
from store.event_log import NewEvent, append_events
from store.unit_of_work import Database
from store.view_conditions import Group, Leaf
from store.view_list import list_view
from store.views import add_view, change_view, delete_view, get_view, list_views
from store.visibility import Viewer
from tests.store.view_world import any_group, holds, make_view_world

ACTIVE = ("open", "pending")


@pytest_asyncio.fixture(loop_scope="session")
async def world(database):
    made = await make_view_world(Database(database.url, pool_size=3), 51)
    await made.add(60)
    yield made
    await made.database.close()


def viewer(world, n: int = 0) -> Viewer:
    return Viewer(world.tenant_id, world.people[n], False)


async def settle(world) -> None:
    """Something happens, then turns until nothing is left to react to."""
    async with world.database.unit_of_work(world.tenant_id) as connection:
        await append_events(connection, [NewEvent("message.received", world.tenant_id)])
    turn = DeskTurn(world.database, EventLine("unused"), [Views()])
    for _ in range(60):
        turned = await turn.once(world.tenant_id)
        assert turned.failed == 0
        if not turned.events and not turned.more:
            return
    raise AssertionError("the desk does not come to rest")


async def add(world, group: Group, n: int = 0, **more):
    given = {"name": "A view", "icon": "list", "color": "#64748b", "shared": False, "sort": "newest"} | more
    async with world.database.unit_of_work(world.tenant_id) as connection:
        return await add_view(connection, viewer(world, n), given, group)


async def listed(world, view, who: Viewer, *, oldest: bool = False, inbox=()) -> list[uuid.UUID]:
    """All pages of the view as `who` sees it now."""
    wanted = ListFilter(inbox=inbox, me=who.user_id, sort=ListOrder.OLDEST if oldest else ListOrder.NEWEST)
    found, after = [], None
    async with world.database.unit_of_work(world.tenant_id) as connection:
        fresh = await get_view(connection, who, view.id)
        while True:
            page = await list_view(connection, who, fresh, wanted, after=after, limit=7)
            found += [r.id for r in page.items]
            after = page.next
            if after is None:
                return found


async def expected(world, view, me: uuid.UUID, *, oldest: bool = False) -> list[uuid.UUID]:
    facts = await world.facts()
    now = (await world.rows("select now() as now"))[0]["now"]
    met = [f for f in facts if holds(view.conditions, f, me, now)]
    return [f["id"] for f in sorted(met, key=lambda f: (f["last_message_at"], f["id"]), reverse=not oldest)]


async def counters_are_right(world, views=()) -> None:
    facts = await world.facts()
    now = (await world.rows("select now() as now"))[0]["now"]
    for n, me in enumerate(world.people):
        async with world.database.unit_of_work(world.tenant_id) as connection:
            boxes = await read_boxes(connection, viewer(world, n))
            seen = {v.id for v in await list_views(connection, viewer(world, n))}
        true: Counter[str] = Counter(f["status"] for f in facts)
        active = [f for f in facts if f["status"] in ACTIVE]
        true["unread"] = sum(f["unread_count"] > 0 for f in active)
        true["unassigned"] = sum(f["assigned_to"] is None for f in active)
        true["mine"] = sum(f["assigned_to"] == me for f in active)
        assert {b: k for b, k in boxes.all.items() if k and len(b) < 36} == {b: k for b, k in true.items() if k}
        assert boxes.views.keys() == {str(v) for v in seen}
        for view in views:
            if view.id in seen:
                assert boxes.views[str(view.id)] == sum(holds(view.conditions, f, me, now) for f in facts), view.conditions.as_json()
        for inbox in world.inboxes:
            assert boxes.of_inbox[inbox]["open"] == sum(f["status"] == "open" and f["inbox_id"] == inbox for f in facts)


OPERATIONS = (
    "update conversations set status = :status where id = any(:some)",
    "update conversations set assigned_to = :person, unread_count = :n where id = any(:some)",
    "update conversations set last_message_at = now() - interval '1 hour' * :n, subject = 'Invoice again' where id = any(:some)",
    "update conversations set merged_into = :one where id = any(:some) and id <> :one",
    "update conversations set deleted_at = case when :n = 0 then now() end where id = any(:some)",
    "update conversations set inbox_id = :inbox, priority = 'urgent', last_message_direction = 'inbound' where id = any(:some)",
    "delete from conversation_tags where conversation_id = any(:some)",
    "insert into conversation_tags (tenant_id, conversation_id, tag_id) select :tenant, id, :tag from unnest(cast(:some as uuid[])) s(id) on conflict do nothing",
    "delete from followers where conversation_id = any(:some)",
    "insert into followers (tenant_id, conversation_id, user_id) select :tenant, id, :person from unnest(cast(:some as uuid[])) s(id) on conflict do nothing",
    "update contacts set vip = not vip where id = :contact",
    "delete from conversations where id = :one",
)


async def operate(world, operation: str) -> None:
    chance = world.chance
    some = chance.sample(world.conversations, chance.randint(1, 8))
    known = {
        "some": some,
        "one": some[0],
        "status": chance.choice(("open", "pending", "snoozed", "closed")),
        "person": chance.choice((*world.people, None)) if "update" in operation else chance.choice(world.people),
        "n": chance.randrange(3),
        "inbox": chance.choice(world.inboxes),
        "tag": chance.choice(world.tags),
        "contact": chance.choice(world.contacts),
    }
    names = text(operation).compile().params
    await world.rows(operation, **{n: v for n, v in known.items() if n in names})


async def test_lists_and_counters_are_exact_after_any_operations(world) -> None:
    views = [await add(world, any_group(world, fixed=True), world.chance.randrange(3), shared=n % 2 == 0) for n in range(10)]
    mine = Group("all", (Leaf("assignee", "in", ["me"]), Leaf("status", "in", ["open", "pending"])))
    views += [await add(world, mine, shared=True), await add(world, mine, 1), await add(world, Group("all", ()), shared=True)]
    await settle(world)
    await counters_are_right(world, views)
    for step in range(36):
        if world.chance.random() < 0.3:
            await world.add(2)
        await operate(world, OPERATIONS[step % len(OPERATIONS)])
        await counters_are_right(world)  # those of the boxes hold at once
        n = world.chance.randrange(3)
        for view in world.chance.sample(views, 4):
            if view.shared or view.owner_id == world.people[n]:
                oldest = world.chance.random() < 0.5
                found = await listed(world, view, viewer(world, n), oldest=oldest)
                assert found == await expected(world, view, world.people[n], oldest=oldest), view.conditions.as_json()
        if step % 6 == 5:
            await settle(world)
            await counters_are_right(world, views)
            assert await world.rows("select 1 from box_deltas") == []
            assert await world.rows("select 1 from touched_conversations") == []


async def test_new_conditions_fill_the_view_again_with_progress(world, monkeypatch) -> None:
    monkeypatch.setattr("store.view_members.FILLED_AT_ONCE", 20)
    view = await add(world, Group("all", (Leaf("status", "in", ["open"]),)), shared=True)
    assert not view.ready
    await settle(world)
    told = await world.rows("select payload from events where type = 'view.filling' order by id")
    assert [t["payload"]["done"] for t in told] == [0, 20, 40, 60]
    assert {t["payload"]["total"] for t in told} == {60}
    async with world.database.unit_of_work(world.tenant_id) as connection:
        changed = await change_view(
            connection, viewer(world), view.id, {"conditions": Group("all", (Leaf("status", "in", ["closed"]),))}, manages=False
        )
    assert not changed.ready
    assert await listed(world, changed, viewer(world)) == await expected(world, changed, world.people[0])
    await settle(world)
    await counters_are_right(world, [changed])
    async with world.database.unit_of_work(world.tenant_id) as connection:
        assert await delete_view(connection, viewer(world), view.id, manages=False)
    await settle(world)
    assert await world.rows("select 1 from box_counts where box = :v", v=str(view.id)) == []
    assert await world.rows("select 1 from view_members") == []


async def test_time_moves_conversations_in_and_out(world) -> None:
    view = await add(world, Group("all", (Leaf("last_message_at", "older_than", "3d"),)), shared=True)
    await settle(world)
    await counters_are_right(world, [view])
    # As if the last look had been five days ago, before the youngest half had grown old.
    await world.rows("update views set moved_at = now() - interval '5 days'")
    async with world.database.system_unit_of_work() as connection:
        assert await ask_for_checks(connection) == 1, "nothing else happens on this desk, so the sweep brings it here"
    await world.rows(
        "delete from view_members m using conversations c where c.tenant_id = m.tenant_id and c.id = m.conversation_id and c.last_message_at > now() - interval '8 days'"
    )
    await settle(world)
    await counters_are_right(world, [view])
    assert await listed(world, view, viewer(world)) == await expected(world, view, world.people[0])


async def test_the_nightly_check_finds_and_mends_what_is_wrong(world) -> None:
    view = await add(world, Group("all", (Leaf("status", "in", ["open"]),)), shared=True)
    await settle(world)
    await world.rows("update box_counts set n = n + 3 where box = 'closed' and inbox_id = :i", i=world.inboxes[0])
    gone = await world.rows("delete from view_members where conversation_id in (select conversation_id from view_members limit 2) returning 1")
    await world.rows("update tenants set created_at = now() - interval '2 days'")
    for asked in (1, 0):
        async with world.database.system_unit_of_work() as connection:
            assert await ask_for_checks(connection) == asked
    async with world.database.system_unit_of_work() as connection:
        assert await counter_drift(connection) == 0
    await settle(world)
    async with world.database.system_unit_of_work() as connection:
        assert await counter_drift(connection) == 3 + len(gone)
    await counters_are_right(world, [view])
    kept = (await world.rows("select counts_checked_at, counts_drift from tenants"))[0]
    assert kept["counts_checked_at"] is not None
    assert kept["counts_drift"] == 3 + len(gone)


async def test_somebody_new_is_met_by_shared_views_of_ones_own(world) -> None:
    view = await add(world, Group("all", (Leaf("assignee", "not_in", ["me"]),)), shared=True)
    await settle(world)
    new = uuid.uuid4()
    await world.rows("insert into users (tenant_id, id, email, email_key, name) values (:tenant, :id, :m, :m, 'New')", id=new, m=f"{new}@example.org")
    world.people.append(new)
    who = Viewer(world.tenant_id, new, False)
    assert await listed(world, view, who) == await expected(world, view, new)
    await settle(world)
    await counters_are_right(world, [view])


async def test_an_agent_of_some_inboxes_gets_the_sums_and_lists_of_those(world) -> None:
    view = await add(world, Group("all", (Leaf("unread", "is", False),)), shared=True)
    await settle(world)
    hidden, others = world.inboxes[0], world.people[1]
    await world.rows("insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)", i=hidden, u=others)
    facts = [f for f in await world.facts() if f["inbox_id"] != hidden]
    async with world.database.unit_of_work(world.tenant_id) as connection:
        boxes = await read_boxes(connection, viewer(world, 0))
    met = [f for f in facts if f["unread_count"] == 0]
    assert boxes.all[str(view.id)] == len(met)
    assert boxes.all["open"] == sum(f["status"] == "open" for f in facts)
    assert set(await listed(world, view, viewer(world, 0))) == {f["id"] for f in met}
    assert await listed(world, view, viewer(world, 0), inbox=(hidden,)) == []
    stranger = replace(viewer(world, 0), tenant_id=uuid.uuid4())
    async with world.database.unit_of_work(stranger.tenant_id) as connection:
        assert await get_view(connection, stranger, view.id) is None
        assert (await read_boxes(connection, stranger)).all == {}


async def test_spam_in_no_conversation_is_counted_as_it_comes_and_goes(world) -> None:
    async def spam() -> int:
        async with world.database.unit_of_work(world.tenant_id) as connection:
            return (await read_boxes(connection, viewer(world))).all["spam_mail"]

    made = (
        await world.rows(
            "insert into messages (tenant_id, inbox_id, direction, classification, sender_type, sent_at)"
            " select :tenant, :i, 'inbound', 'spam', 'customer', now() from generate_series(1, 3) returning id",
            i=world.inboxes[0],
        )
    )
    assert await spam() == 3
    await world.rows("update messages set conversation_id = :c where id = :id", c=world.conversations[0], id=made[0]["id"])
    await world.rows("update messages set is_read = true")
    assert await spam() == 2
    await world.rows("delete from messages where id = :id", id=made[1]["id"])
    assert await spam() == 1
