"""Rules over the API: versions, order, dry runs with counts and conflicts, explanations that hold against what was recorded."""

import datetime as dt
import uuid
from typing import Any

from activities.desk_route import DeskRoute
from providers.s3.blobs import BlobMissing
from store.bulk import new_id
from store.event_log import Cursor, LoggedEvent
from tests.api.world import World, make_world

FIRE = {"field": "subject", "op": "contains", "value": "fire"}
HIGH = {"type": "priority", "value": "high"}


def rule(name: str = "Fire", **more: Any) -> dict[str, Any]:
    return {"name": name, "condition": FIRE, "actions": [HIGH], **more}


async def route(world: World, *messages: uuid.UUID) -> None:
    """The desk's reader, as far as rules go."""

    async def no_raw(key: str, offset: int, length: int) -> bytes:
        raise BlobMissing

    events = [
        LoggedEvent(
            Cursor(1, i), "message.received", world.tenant_id, world.ids["inbox"], world.ids["conversation"], m, "system", {},
            dt.datetime.now(dt.UTC),
        )
        for i, m in enumerate(messages)
    ]  # fmt: skip
    async with world.database.unit_of_work(world.tenant_id) as connection:
        await DeskRoute(no_raw).react(connection, world.tenant_id, events)


async def test_every_change_is_a_version_and_saying_the_same_is_none(world) -> None:
    async with world.client("admin") as admin:
        made = (await admin.post("/v1/rules", json=rule())).json()
        path = f"/v1/rules/{made['id']}"
        assert (await admin.patch(path, json={"name": "Fire"})).json()["version"] == 1
        assert (await admin.patch(path, json={"stop": True, "shadow": True})).json()["version"] == 2
        changed = (await admin.patch(path, json={"enabled": False})).json()
        assert (changed["version"], changed["stop"], changed["enabled"]) == (3, True, False)
        versions = (await admin.get(f"{path}/versions")).json()["items"]
        assert [(v["version"], v["stop"], v["enabled"]) for v in versions] == [(3, True, False), (2, True, True), (1, False, True)]
        assert versions[0]["changed_by"] == f"user:{world.people['admin']}"
        assert (await admin.delete(path)).status_code == 204
        assert (await admin.delete(path)).status_code == 404
        assert (await admin.get("/v1/rules")).json()["items"] == []
        assert len((await admin.get(f"{path}/versions")).json()["items"]) == 3, "hits of the past stay explained"


async def test_what_is_wrong_is_named_with_its_place(world) -> None:
    async with world.client("admin") as admin:
        for written, field in (
            (rule(condition={"all": [FIRE, {"field": "subject", "op": "matches", "value": "(a+"}]}), "condition.all[1].value"),
            (rule(actions=[HIGH, {"type": "fly"}]), "actions[1].type"),
            (rule(actions=[]), "actions"),
        ):
            answer = await admin.post("/v1/rules", json=written)
            assert answer.status_code == 422
            assert [e["field"] for e in answer.json()["errors"]] == [field]
        told = (await admin.post("/v1/rules", json=rule(condition={**FIRE, "op": "matches", "value": "ab(cd"}))).json()
        assert "position 3" in told["errors"][0]["message"]


async def test_rules_are_ordered_as_a_whole(world) -> None:
    async with world.client("admin") as admin:
        ids = [(await admin.post("/v1/rules", json=rule(n))).json()["id"] for n in "abc"]
        answer = await admin.put("/v1/rules/order", json={"ids": [ids[2], ids[0], ids[1]]})
        assert [r["name"] for r in answer.json()["items"]] == ["c", "a", "b"]
        for wrong in (ids[:2], [*ids, ids[0]], [*ids[:2], str(uuid.uuid4())]):
            assert (await admin.put("/v1/rules/order", json={"ids": wrong})).status_code == 422


async def history(world: World, count: int, **values: Any) -> None:
    now = dt.datetime.now(dt.UTC)
    for i in range(count):
        number = 1000 + new_id().int % 10**9
        conversation = await world.conversation(number, last_message_at=now)
        await world.rows("update conversations set subject = :s where id = :c", s=f"case {i}", c=conversation)
        await world.message(conversation, received_at=now - dt.timedelta(days=1), subject="No fire here" if i % 2 else "All well", **values)


async def test_a_dry_run_counts_what_would_have_matched_and_changes_nothing(deps) -> None:
    world = await make_world(deps, mail=False)
    await history(world, 10)
    old = await world.conversation(7)
    await world.message(old, received_at=dt.datetime.now(dt.UTC) - dt.timedelta(days=40), subject="fire")
    mine = await world.conversation(8, assigned_to=world.people["agent"], assigned_by="manual", priority="urgent")
    await world.message(mine, received_at=dt.datetime.now(dt.UTC), subject="fire")
    agent = {"type": "assign", "user": str(world.people["admin"])}
    async with world.client("admin") as admin:
        first = (await admin.post("/v1/rules", json=rule("first", condition={**FIRE, "value": "no fire"}, stop=True))).json()
        asked = {"rule": rule(actions=[HIGH, agent]), "days": 30}
        run = (await admin.post("/v1/rules/dry-run", json=asked)).json()
        assert (run["state"], run["looked_at"], run["matched"], run["unknown"]) == ("done", 11, 6, 0)
        conflicts = run["conflicts"]
        assert conflicts["stopped_by"] == [{"rule_id": first["id"], "name": "first", "count": 5}]
        assert (conflicts["stopped_before"], conflicts["by_hand"], conflicts["overrides"], conflicts["replaces"]) == (5, 1, 0, 1)
        assert [(a["type"], a["would"], a["stands"]) for a in run["actions"]] == [("priority", 1, 0), ("assign", 0, 0)]
        assert len(run["sample"]) == 6
        assert {m["subject"] for m in run["sample"]} == {"fire", "No fire here"}
        override = {"rule": rule(actions=[{**agent, "override": True}]), "days": 90, "rule_id": first["id"]}
        again = (await admin.post("/v1/rules/dry-run", json=override)).json()
        assert (again["looked_at"], again["matched"], again["conflicts"]["overrides"]) == (12, 7, 1)
        assert again["conflicts"]["stopped_before"] == 0, "in the place of the rule that stopped it"
        assert (await admin.get(f"/v1/rules/dry-run/{run['id']}")).json() == run
    assert await world.rows("select 1 from rule_hits where tenant_id = :tenant") == []
    assert await world.rows("select 1 from conversations where tenant_id = :tenant and priority = 'high'") == []


async def test_a_long_dry_run_is_carried_on_in_bounded_steps(deps, monkeypatch) -> None:
    world = await make_world(deps, mail=False)
    await history(world, 7)
    monkeypatch.setattr("api.rule_trials.STEP", 3)
    monkeypatch.setattr("api.rule_trials.STRETCH_SECONDS", 0.0)
    async with world.client("admin") as admin:
        run = (await admin.post("/v1/rules/dry-run", json={"rule": rule()})).json()
        seen = [run["looked_at"]]
        await history(world, 3)  # what comes meanwhile does not keep it going
        while run["state"] == "running":
            run = (await admin.post(f"/v1/rules/dry-run/{run['id']}/continue")).json()
            seen.append(run["looked_at"])
        assert seen == [3, 6, 7]
        assert (await admin.post(f"/v1/rules/dry-run/{run['id']}/continue")).json() == run


async def test_a_dry_run_reads_header_lines_where_they_are_kept(deps) -> None:
    world = await make_world(deps, mail=False)
    conversation = await world.conversation(1)
    world.blobs.objects["raw/pack"] = b"xxX-Team: printers\r\n\r\nfire"
    now = dt.datetime.now(dt.UTC)
    await world.message(conversation, received_at=now, raw_key="raw/pack", raw_offset=2, raw_length=24)
    await world.message(conversation, received_at=now, raw_key="raw/lost", raw_offset=0, raw_length=24)
    async with world.client("admin") as admin:
        asked = rule(condition={"field": "header", "name": "X-Team", "op": "is", "value": "Printers"})
        assert (await admin.post("/v1/rules", json=asked)).json()["reads_headers"] is True
        run = (await admin.post("/v1/rules/dry-run", json={"rule": asked})).json()
    assert (run["looked_at"], run["matched"], run["unknown"]) == (2, 1, 1)


async def test_a_conversation_explains_which_rules_hit_and_missed(world) -> None:
    async with world.client("admin") as admin:
        shadow = (await admin.post("/v1/rules", json=rule("shadow", shadow=True))).json()
        hit = (await admin.post("/v1/rules", json=rule("hit", stop=True, condition={"all": [FIRE, {"not": {"field": "contact_vip"}}]}))).json()
        miss = (await admin.post("/v1/rules", json=rule("never", condition={"field": "is_reply"}))).json()
        await route(world, world.ids["message"])
        # What is written later does not change what is told of then.
        await admin.patch(f"/v1/rules/{hit['id']}", json={"condition": {"field": "is_reply"}, "name": "changed"})
        await admin.delete(f"/v1/rules/{shadow['id']}")
    async with world.client("viewer") as viewer:
        told = (await viewer.get(f"/v1/conversations/{world.ids['conversation']}/rules")).json()
        steps = (await viewer.get(f"/v1/messages/{world.ids['message']}/timeline")).json()["items"]
    mail = next(m for m in told["messages"] if m["message_id"] == str(world.ids["message"]))
    assert mail["looked_at"] is not None
    assert [(r["name"], r["version"], r["hit"], r["shadow"], r["differs"]) for r in mail["rules"]] == [
        ("shadow", 1, True, True, False),
        ("hit", 1, True, False, False),
        ("never", 1, False, False, False),
    ]
    assert mail["rules"][1]["outcomes"] == [{"type": "priority", "done": True, "why": None, "template": None, "endpoint": None}]
    assert mail["rules"][2]["stopped_by"] == hit["id"]
    assert mail["rules"][2]["rule_id"] == miss["id"]
    reason = mail["rules"][1]["reason"]
    assert (reason["kind"], reason["result"], reason["parts"][0]["found"]) == ("all", True, "Printer on fire")
    assert reason["parts"][1]["parts"][0]["field"] == "contact_vip"
    ruled = [(s["step"], s["detail"]) for s in steps if s["step"].startswith("rule ")]
    assert ruled == [
        ("rule matched in shadow", "“shadow” version 1"),
        ("rule matched", "“hit” version 1: priority set, and no rule after it"),
    ]


async def test_a_mail_that_no_rule_looked_at_says_why(world) -> None:
    await world.rows("update messages set silence_reason = 'own-loop-header' where id = :m", m=world.ids["message"])
    async with world.client("admin") as admin:
        await admin.post("/v1/rules", json=rule())
        await route(world, world.ids["message"])
        told = (await admin.get(f"/v1/conversations/{world.ids['conversation']}/rules")).json()
    assert [(m["looked_at"], m["why_not"], m["rules"]) for m in told["messages"]] == [(None, "own-loop-header", [])]
