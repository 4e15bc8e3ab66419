"""Saved views over HTTP: whose they are, what is refused and where, and lists and counters of them."""

import uuid

from activities.desk_turn import DeskTurn
from activities.desk_views import Views
from activities.event_line import EventLine

URGENT = {"all": [{"field": "priority", "op": "in", "value": ["urgent", "high"]}]}


async def settle(world) -> None:
    turn = DeskTurn(world.database, EventLine("unused"), [Views()])
    while (turned := await turn.once(world.tenant_id)).events or turned.more:
        assert turned.failed == 0


async def test_a_view_is_made_listed_counted_changed_and_deleted(world) -> None:
    for number, priority in ((50, "urgent"), (51, "high"), (52, "low")):
        await world.conversation(number, priority=priority)
    async with world.client("agent") as agent:
        made = (await agent.post("/v1/views", json={"name": " Hot ", "icon": "star", "color": "#c0ffee", "conditions": URGENT})).json()
        assert (made["name"], made["mine"], made["shared"], made["may_change"]) == ("Hot", True, False, True)
        assert made["filling"] == {"done": 0, "total": 0}
        path = f"/v1/conversations?view={made['id']}"
        assert [c["number"] for c in (await agent.get(path)).json()["items"]] == [51, 50]
        await world.rows("update tenants set next_conversation_number = 100 where id = :tenant")
        await settle(world)
        assert (await agent.get("/v1/views")).json()["items"][0]["filling"] is None
        assert (await agent.get("/v1/conversations/counts")).json()["views"] == {made["id"]: 2}
        assert [c["number"] for c in (await agent.get(path)).json()["items"]] == [51, 50]
        first = (await agent.get(f"{path}&limit=1")).json()
        assert [c["number"] for c in (await agent.get(f"{path}&limit=1&after={first['next']}")).json()["items"]] == [50]
        assert [c["number"] for c in (await agent.get(f"{path}&priority=high&status=open")).json()["items"]] == [51]
        assert (await agent.get(f"{path}&search=nothing")).json()["items"] == []
        changed = (await agent.patch(f"/v1/views/{made['id']}", json={"conditions": {"all": []}, "position": 7})).json()
        assert (changed["position"], changed["filling"]) == (7, {"done": 0, "total": 0})
        await settle(world)
        assert (await agent.get("/v1/conversations/counts")).json()["views"] == {made["id"]: 4}
        assert (await agent.delete(f"/v1/views/{made['id']}")).status_code == 204
        assert (await agent.get(path)).json()["errors"][0]["field"] == "view"
        assert (await agent.get("/v1/conversations/counts")).json()["views"] == {}


async def test_my_own_is_nobody_elses_and_the_teams_is_changed_by_its_maker_or_an_admin(world) -> None:
    async with world.client("agent") as agent, world.client("admin") as admin, world.client("viewer") as viewer:
        own = (await agent.post("/v1/views", json={"name": "Own", "conditions": URGENT})).json()["id"]
        ours = (await agent.post("/v1/views", json={"name": "Ours", "conditions": URGENT, "shared": True})).json()["id"]
        theirs = (await admin.post("/v1/views", json={"name": "Theirs", "conditions": URGENT, "shared": True})).json()["id"]
        assert {v["id"]: v["may_change"] for v in (await viewer.get("/v1/views")).json()["items"]} == {ours: False, theirs: False}
        unknown = (await admin.get(f"/v1/conversations?view={uuid.uuid4()}")).json()
        assert (await admin.get(f"/v1/conversations?view={own}")).json() == unknown
        for call in (admin.patch(f"/v1/views/{own}", json={"name": "x"}), admin.delete(f"/v1/views/{own}")):
            assert (await call).status_code == 404
        assert (await agent.patch(f"/v1/views/{theirs}", json={"name": "Mine now"})).status_code == 403
        assert (await agent.delete(f"/v1/views/{theirs}")).status_code == 403
        assert (await admin.patch(f"/v1/views/{ours}", json={"name": "Everybody's"})).json()["name"] == "Everybody's"
        assert own not in (await viewer.get("/v1/conversations/counts")).json()["views"]
    async with world.client("key:write") as key:
        refused = await key.post("/v1/views", json={"name": "Own", "conditions": URGENT})
        assert refused.json()["errors"][0]["field"] == "shared"


async def test_a_fault_in_the_conditions_is_named_by_its_place(world) -> None:
    async with world.client("agent") as agent:
        for call, body in (("/v1/views", {"name": "Bad"}), ("/v1/views/preview", {})):
            wrong = {"all": [{"field": "status", "op": "in", "value": ["open"]}, {"any": [{"field": "tag", "op": "in", "value": ["vip"]}]}]}
            answer = await agent.post(call, json={**body, "conditions": wrong})
            assert answer.status_code == 422
            assert answer.json()["errors"] == [{"field": "conditions.all[1].any[0].value", "message": "holds ids"}]


async def test_a_preview_counts_what_would_be_in_it(world) -> None:
    await world.conversation(50, priority="urgent")
    async with world.client("agent") as agent:
        found = (await agent.post("/v1/views/preview", json={"conditions": URGENT})).json()
    assert found == {"count": 1, "capped": False}


async def test_filters_take_several_values_and_people(world) -> None:
    mine, vip = world.people["agent"], await world.insert("contacts", name="Vip", vip=True)
    await world.conversation(60, assigned_to=mine, priority="urgent", last_message_direction="inbound")
    await world.conversation(61, assigned_to=world.people["admin"], contact_id=vip, sla_due_at="2030-01-01T00:00:00Z")
    followed = await world.conversation(62, priority="low", customer_identifier="Vera@customer.example.com", sla_due_at="2029-01-01T00:00:00Z")
    await world.rows("insert into followers (tenant_id, conversation_id, user_id) values (:tenant, :c, :u)", c=followed, u=mine)
    team = await world.insert("teams", name="Second line")
    await world.rows("update conversations set team_id = :t where number = 60", t=team)
    async with world.client("agent") as agent:

        async def numbers(query: str) -> set[int]:
            answer = await agent.get(f"/v1/conversations?{query}")
            assert answer.status_code == 200, answer.text
            return {c["number"] for c in answer.json()["items"]}

        assert await numbers(f"assigned_to=me&assigned_to={world.people['admin']}") == {60, 61}
        assert await numbers("assigned_to=none&assigned_to=me") == {42, 60, 62}
        assert await numbers("priority=urgent&priority=low") == {60, 62}
        assert await numbers(f"contact={vip}") == {61}
        assert await numbers("customer=vera@customer.example.com") == {62}
        assert await numbers("followed=true") == {62}
        assert await numbers("followed=false") == {42, 60, 61}
        assert await numbers("attachment=true") == {42}
        assert await numbers("waiting=true") == {60}
        assert await numbers("waiting_before=2000-01-01T00:00:00Z") == set()
        assert await numbers("number=61") == {61}
        assert await numbers(f"team={team}") == {60}
        assert await numbers("team=none") == {42, 61, 62}
        due = (await agent.get("/v1/conversations?sort=sla_due&limit=1")).json()
        assert [c["number"] for c in due["items"]] == [62]
        assert [c["number"] for c in (await agent.get(f"/v1/conversations?sort=sla_due&after={due['next']}")).json()["items"]] == [61]
        assert [c["number"] for c in (await agent.get("/v1/conversations?sort=waiting")).json()["items"]] == [60]
        for wrong in ("assigned_to=everybody", "team=me", f"view={uuid.uuid4()}x", "sort=loudest"):
            assert (await agent.get(f"/v1/conversations?{wrong}")).status_code == 422, wrong
