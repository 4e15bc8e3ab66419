"""Service levels over the API: hours and policies with what is wrong named, previews that say what then happens, clocks with their arithmetic."""

import datetime as dt
import uuid

from activities.desk_clocks import DeskClocks
from activities.sla_timer import SlaTiming
from contracts.sla import SlaRef
from store.event_log import Cursor, LoggedEvent

WEEK = [[["09:00", "12:00"], ["13:00", "24:00"]]] * 5 + [[], []]
HOURS = {"name": "Office", "time_zone": "Europe/Berlin", "week": WEEK}
ALWAYS = {"first_response": {"minutes": 60, "time": "calendar"}}
HOUR = dt.timedelta(hours=1)


async def mail(world, at: dt.datetime, number: int) -> uuid.UUID:
    """A conversation with one mail that a customer sent then."""
    one = await world.conversation(number)
    await world.rows("delete from messages where conversation_id = :c", c=one)
    await world.insert(
        "messages", conversation_id=one, inbox_id=world.ids["inbox"], direction="inbound", sender_type="customer",
        classification="message", sent_at=at, received_at=at, created_at=at, message_id_header=f"<{uuid.uuid4().hex}@example.com>",
    )  # fmt: skip
    return one


async def react(world, *ids: uuid.UUID) -> None:
    now = dt.datetime.now(dt.UTC)
    events = [LoggedEvent(Cursor(1, n), "message.received", world.tenant_id, world.ids["inbox"], i, None, "t", {}, now) for n, i in enumerate(ids)]
    async with world.deps.database.unit_of_work(world.tenant_id) as connection:
        await DeskClocks().react(connection, world.tenant_id, events)


async def recounted(world) -> None:
    timing, ref = SlaTiming(world.deps.database), SlaRef(str(world.tenant_id))
    while (await timing.recount(ref)).more:
        pass
    await timing.act(ref)


async def test_hours_are_kept_and_what_cannot_be_names_its_field(world) -> None:
    async with world.client("admin") as admin:
        made = (await admin.post("/v1/business-hours", json={**HOURS, "country": "DE", "subdivision": "BY"})).json()
        assert (made["week"][0][1], made["country"], made["is_default"]) == (["13:00", "24:00"], "DE", False)
        for change, field in (
            ({"time_zone": "Berlin"}, "time_zone"),
            ({"country": "ZZ", "subdivision": ""}, "country"),
            ({"week": [[["12:00", "09:00"]]] * 7}, "week[0]"),
            ({"week": [[["9:00", "12:00"]]] * 7}, "week[0][0][0]"),
            ({"dates": [{"date": "2026-12-24"}, {"date": "2026-12-24"}]}, "dates[1]"),
        ):
            refused = await admin.patch(f"/v1/business-hours/{made['id']}", json=change)
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
        changed = await admin.patch(
            f"/v1/business-hours/{made['id']}",
            json={"is_default": True, "dates": [{"date": "2026-12-24", "name": "Christmas Eve", "intervals": [["09:00", "12:00"]]}]},
        )
        assert (changed.json()["is_default"], changed.json()["time_zone"]) == (True, "Europe/Berlin")
        listed = (await admin.get("/v1/business-hours")).json()
        assert "BY" in next(c for c in listed["countries"] if c["code"] == "DE")["subdivisions"]
        policy = (await admin.post("/v1/sla-policies", json={"name": "All", "targets": ALWAYS, "business_hours_id": made["id"]})).json()
        used = await admin.delete(f"/v1/business-hours/{made['id']}")
        assert (used.status_code, used.json()["type"]) == (409, "/problems/hours-in-use")
        assert (await admin.delete(f"/v1/sla-policies/{policy['id']}")).status_code == 204
        assert (await admin.delete(f"/v1/business-hours/{made['id']}")).status_code == 204


async def test_a_policy_names_only_what_there_is(world, other) -> None:
    async with world.client("admin") as admin:
        nobody = str(uuid.uuid4())
        for body, field in (
            ({"conditions": {"inbox": [str(other.ids["inbox"])]}}, "conditions.inbox"),
            ({"conditions": {"tag": [nobody]}}, "conditions.tag"),
            ({"business_hours_id": nobody}, "business_hours_id"),
            ({"actions": {"breach": {"notify_users": [str(other.people["agent"])]}}}, "actions.breach.notify_users"),
            ({"actions": {"warn": {"assign_team": nobody}}}, "actions.warn.assign_team"),
            ({"targets": {}}, "targets"),
        ):
            refused = await admin.post("/v1/sla-policies", json={"name": "Gold", "targets": ALWAYS, **body})
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field), refused.text
        one = (await admin.post("/v1/sla-policies", json={"name": "One", "targets": ALWAYS})).json()
        two = (await admin.post("/v1/sla-policies", json={"name": "Two", "targets": ALWAYS, "position": 0})).json()
        assert [p["id"] for p in (await admin.get("/v1/sla-policies")).json()["items"]] == [two["id"], one["id"]]
    assert ("sla", str(world.tenant_id)) in world.deps.gateway.calls


async def test_a_preview_says_what_then_happens(world) -> None:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    fresh, old = await mail(world, now - HOUR / 2, 901), await mail(world, now - 30 * HOUR, 902)
    policy = {"name": "All", "targets": ALWAYS}
    async with world.client("admin") as admin:
        first = (await admin.post("/v1/sla-policies/preview", json=policy)).json()
        moved = {m["conversation_id"]: m for m in first["items"]}
        assert (moved[str(fresh)]["change"], moved[str(fresh)]["newly_breached"]) == ("started", False)
        assert moved[str(old)]["newly_breached"] is True
        assert first["counts"]["started"] == len(first["items"])
        assert await world.rows("select id from sla_clocks") == []

        made = (await admin.post("/v1/sla-policies", json=policy)).json()
        await recounted(world)
        clocks = {c["conversation_id"]: c for c in await world.rows("select * from sla_clocks")}
        # What was answered in time has a clock too, which nobody has to be told of.
        assert {str(i) for i, c in clocks.items() if c["ended_at"] is None or c["breached_at"] is not None} == set(moved)
        assert (clocks[fresh]["breached_at"], clocks[old]["breached_at"] is None) == (None, False)
        listed = (await admin.get("/v1/sla-policies")).json()
        assert (listed["recount"]["state"], listed["recount"]["moved"] >= first["counts"]["conversations"]) == ("done", True)

        longer = {"targets": {"first_response": {"minutes": 60 * 48, "time": "calendar"}}}
        second = (await admin.post(f"/v1/sla-policies/{made['id']}/preview", json=longer)).json()
        assert {m["conversation_id"] for m in second["items"]} == set(moved)
        late = next(m for m in second["items"] if m["conversation_id"] == str(old))
        assert (late["excused"], late["newly_breached"], late["change"]) == (True, False, "moved")
        pages, after = [], ""
        while True:
            page = (await admin.post(f"/v1/sla-policies/{made['id']}/preview?limit=1{after}", json=longer)).json()
            assert (page["counts"] is None) == bool(after)
            pages += [m["conversation_id"] for m in page["items"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert sorted(pages) == sorted(moved)

        await admin.patch(f"/v1/sla-policies/{made['id']}", json=longer)
        await recounted(world)
        excused = (await world.rows("select * from sla_clocks where conversation_id = :c", c=old))[0]
        assert (excused["breached_at"] is None, excused["excuse"] is None) == (False, False)
        item = (await admin.get(f"/v1/conversations/{old}")).json()["sla"]
        assert (item["breached"], item["due_at"]) == (False, (now + 18 * HOUR).isoformat().replace("+00:00", "Z"))


async def test_a_conversation_shows_its_arithmetic(world) -> None:
    start = dt.datetime(2025, 3, 7, 15, 30, tzinfo=dt.UTC)  # a Friday at half past four in Berlin
    async with world.client("admin") as admin:
        hours = (await admin.post("/v1/business-hours", json={**HOURS, "week": [[["09:00", "17:00"]]] * 5 + [[], []]})).json()
        await admin.post(
            "/v1/sla-policies",
            json={"name": "Office", "targets": {"first_response": {"minutes": 240, "time": "business"}}, "business_hours_id": hours["id"]},
        )
    one = await mail(world, start, 903)
    for at, status in ((start + 65 * HOUR, "pending"), (start + 68 * HOUR, "open")):
        await world.rows("insert into conversation_statuses (tenant_id, conversation_id, at, status) values (:tenant, :c, :at, :s)", c=one, at=at, s=status)
    answered = start + 69 * HOUR
    await world.insert(
        "messages", conversation_id=one, inbox_id=world.ids["inbox"], direction="outbound", sender_type="agent", send_status="sent",
        sent_at=answered, received_at=answered, created_at=answered, message_id_header=f"<{uuid.uuid4().hex}@example.com>",
    )  # fmt: skip
    await react(world, one)
    async with world.client("agent") as agent:
        shown = (await agent.get(f"/v1/conversations/{one}/sla")).json()
    clock = shown["clocks"][0]
    assert (clock["state"], clock["policy"], clock["hours"]) == ("met", "Office", "Office")
    assert clock["sentence"] == "2 h running, 2 d 16 h outside hours, 3 h pending"
    assert [(s["kind"], s["why"], s["seconds"] / 3600) for s in clock["segments"]] == [
        ("running", "", 0.5), ("outside", "", 64), ("running", "", 0.5), ("paused", "pending", 3), ("running", "", 1),
    ]  # fmt: skip
    assert clock["running_seconds"] == 7200
    assert (shown["first_response_business_seconds"], shown["policy"]) == (5 * 3600, "Office")


async def test_a_list_is_sorted_by_what_is_due(world) -> None:
    now = dt.datetime.now(dt.UTC)
    later, sooner = await mail(world, now - HOUR / 4, 904), await mail(world, now - HOUR / 2, 905)
    async with world.client("admin") as admin:
        await admin.post("/v1/sla-policies", json={"name": "All", "targets": ALWAYS})
    await react(world, later, sooner)
    async with world.client("agent") as agent:
        listed = (await agent.get("/v1/conversations?sort=sla_due")).json()["items"]
    assert [i["id"] for i in listed if i["id"] in (str(later), str(sooner))] == [str(sooner), str(later)]
    assert {i["sla"] is None for i in listed} == {False}
