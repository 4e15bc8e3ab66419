"""Bulk changes as a client asks for them: a few at once, many by a workflow, all that a list shows, and back again."""

import uuid

import pytest

from store.bulk_steps import step_bulk
from tests.api.world import NOW, World


async def made(world: World, count: int) -> list[str]:
    return [str(await world.conversation(100 + n, subject=f"Matter {n}")) for n in range(count)]


async def test_a_few_are_changed_at_once_and_taken_back(world: World) -> None:
    ids = await made(world, 3)
    change = {"status": "closed", "priority": "high", "add_tags": ["done"], "assigned_to": str(world.people["agent"])}
    async with world.client() as agent:
        run = (await agent.post("/v1/bulk", json={"ids": ids, "change": change})).json()
        assert (run["state"], run["total"], run["changed"], run["can_undo"]) == ("done", 3, 3, True)
        shown = (await agent.get(f"/v1/conversations/{ids[0]}")).json()
        assert (shown["status"], shown["priority"], [t["name"] for t in shown["tags"]]) == ("closed", "high", ["done"])
        assert shown["assigned_to"]["id"] == str(world.people["agent"])
        # Somebody reopens one meanwhile: that stays.
        await agent.patch(f"/v1/conversations/{ids[1]}", json={"status": "pending"})
        back = (await agent.post(f"/v1/bulk/{run['id']}/undo")).json()
        assert (back["state"], back["restored"], back["left"]) == ("undone", 2, 1)
        states = [(await agent.get(f"/v1/conversations/{i}")).json() for i in ids]
        again = (await agent.post(f"/v1/bulk/{run['id']}/undo")).json()
    assert [s["status"] for s in states] == ["open", "pending", "open"]
    assert [s["priority"] for s in states] == ["normal"] * 3
    assert [s["tags"] for s in states] == [[], [], []]
    assert [s["assigned_to"] for s in states] == [None] * 3
    assert (again["restored"], again["left"]) == (2, 1)
    assert not [c for c in world.gateway.calls if c[0] == "bulk"]


async def test_what_stands_already_is_no_change(world: World) -> None:
    ids = await made(world, 2)
    async with world.client() as agent:
        run = (await agent.post("/v1/bulk", json={"ids": ids, "change": {"status": "open"}})).json()
    assert (run["done"], run["changed"], run["can_undo"]) == (2, 0, False)
    assert await world.rows("select 1 from events where conversation_id = :c", c=uuid.UUID(ids[0])) == []


async def test_all_that_a_list_shows_goes_to_a_workflow(world: World) -> None:
    await made(world, 101)
    asked = {"filter": {"status": ["open"], "sort": "oldest"}, "change": {"priority": "low"}}
    async with world.client() as agent:
        run = (await agent.post("/v1/bulk", json=asked)).json()
        assert (run["state"], run["total"], run["done"]) == ("running", 102, 0)
        assert [c for c in world.gateway.calls if c[0] == "bulk"] == [("bulk", str(world.tenant_id), run["id"])]
        async with world.database.unit_of_work(world.tenant_id) as connection:
            await step_bulk(connection, world.tenant_id, uuid.UUID(run["id"]), now=NOW, limit=40)
        assert (await agent.get(f"/v1/bulk/{run['id']}")).json()["done"] == 40
        stopped = (await agent.post(f"/v1/bulk/{run['id']}/cancel")).json()
        assert (stopped["state"], stopped["changed"], stopped["can_undo"]) == ("cancelled", 40, True)
        back = (await agent.post(f"/v1/bulk/{run['id']}/undo")).json()
    assert (back["state"], back["restored"], back["left"]) == ("undone", 40, 0)
    assert await world.rows("select 1 from conversations where priority <> 'normal'") == []
    told = await world.rows("select payload from events where type = 'bulk.updated' order by id")
    assert [t["payload"]["state"] for t in told] == ["running", "cancelled", "undoing", "undone"]


async def test_what_the_agent_does_not_see_is_left_out(world: World) -> None:
    hidden = await world.insert("inboxes", name="Board", email_address="board@example.org", settings={"imap": {}})
    await world.rows(
        "insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)", i=hidden, u=world.people["admin"]
    )
    secret = str(await world.conversation(99, inbox_id=hidden))
    (seen,) = await made(world, 1)
    async with world.client() as agent:
        run = (await agent.post("/v1/bulk", json={"ids": [seen, secret], "change": {"status": "closed"}})).json()
        none = await agent.post("/v1/bulk", json={"ids": [secret], "change": {"status": "closed"}})
    assert run["total"] == 1
    assert (none.status_code, none.json()["errors"][0]["field"]) == (422, "ids")
    rows = await world.rows("select status from conversations where id = :c", c=uuid.UUID(secret))
    assert rows == [{"status": "open"}]


async def test_many_are_merged_into_the_oldest_and_taken_apart_again(world: World) -> None:
    ids = await made(world, 3)
    for days, one in ((2, ids[0]), (9, ids[1]), (1, ids[2])):
        await world.rows("update conversations set created_at = now() - make_interval(days => :d) where id = :c", d=days, c=uuid.UUID(one))
    async with world.client() as agent:
        for one in ids:
            await agent.post(f"/v1/conversations/{one}/notes", json={"content": f"about {one}"})
        run = (await agent.post("/v1/bulk", json={"ids": ids, "change": {"merge": {}}})).json()
        assert (run["state"], run["total"], run["changed"], run["merged_into"]) == ("done", 3, 2, ids[1])
        notes = (await agent.get(f"/v1/conversations/{ids[1]}/notes")).json()["items"]
        assert len(notes) == 3
        again = await agent.post("/v1/bulk", json={"ids": ids, "change": {"merge": {}}})
        assert (again.status_code, again.json()["errors"][0]["field"]) == (422, "ids")
        # Somebody takes one out meanwhile: it is left as it is.
        assert (await agent.post(f"/v1/conversations/{ids[0]}/unmerge")).status_code == 200
        back = (await agent.post(f"/v1/bulk/{run['id']}/undo")).json()
        assert (back["state"], back["restored"], back["left"]) == ("undone", 1, 1)
        for one in ids:
            (note,) = (await agent.get(f"/v1/conversations/{one}/notes")).json()["items"]
            assert note["content"] == f"about {one}"
    assert await world.rows("select 1 from conversations where merged_into is not null") == []


async def test_a_merge_of_many_goes_where_it_is_told_and_stays_in_one_inbox(world: World) -> None:
    ids = await made(world, 2)
    inbox = await world.insert("inboxes", name="Sales", email_address="sales@example.org", settings={"imap": {}})
    elsewhere = str(await world.conversation(99, inbox_id=inbox))
    hidden = await world.insert("inboxes", name="Board", email_address="board@example.org", settings={"imap": {}})
    await world.rows(
        "insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)", i=hidden, u=world.people["admin"]
    )
    secret = str(await world.conversation(98, inbox_id=hidden))
    async with world.client() as agent:
        refused = await agent.post("/v1/bulk", json={"ids": [*ids, elsewhere], "change": {"merge": {}}})
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "other-inbox")
        # What the agent does not see is as unknown as what is not there, chosen or as the target.
        for unknown in (secret, str(uuid.uuid4())):
            alone = await agent.post("/v1/bulk", json={"ids": [ids[0], unknown], "change": {"merge": {}}})
            target = await agent.post("/v1/bulk", json={"ids": [*ids, unknown], "change": {"merge": {"into": unknown}}})
            assert (alone.status_code, alone.json()["errors"][0]["field"]) == (422, "ids")
            assert (target.status_code, target.json()["errors"][0]["field"]) == (422, "change.merge.into")
        assert await world.rows("select 1 from conversations where merged_into is not null") == []
        run = (await agent.post("/v1/bulk", json={"ids": [*ids, secret], "change": {"merge": {"into": ids[1]}}})).json()
        assert (run["total"], run["changed"], run["merged_into"]) == (2, 1, ids[1])
    rows = await world.rows("select id from conversations where merged_into = :c", c=uuid.UUID(ids[1]))
    assert [str(row["id"]) for row in rows] == [ids[0]]


async def test_a_run_belongs_to_who_asked_for_it(world: World) -> None:
    async with world.client("admin") as admin:
        run = (await admin.post("/v1/bulk", json={"ids": await made(world, 1), "change": {"status": "closed"}})).json()
    async with world.client("agent") as agent:
        assert (await agent.get(f"/v1/bulk/{run['id']}")).status_code == 404
        assert (await agent.post(f"/v1/bulk/{run['id']}/undo")).status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        {"change": {"status": "closed"}},
        {"ids": [str(uuid.uuid4())], "filter": {}, "change": {"status": "closed"}},
        {"ids": [str(uuid.uuid4())], "change": {}},
        {"ids": [str(uuid.uuid4())], "change": {"status": "snoozed"}},
        {"ids": [], "change": {"status": "closed"}},
        {"ids": [str(uuid.uuid4())], "change": {"merge": {}, "status": "closed"}},
        {"ids": [str(uuid.uuid4())], "change": {"merge": None}},
    ],
)
async def test_what_makes_no_sense_is_refused(world: World, asked: dict[str, object]) -> None:
    async with world.client() as agent:
        assert (await agent.post("/v1/bulk", json=asked)).status_code == 422
    assert await world.rows("select 1 from bulks") == []
