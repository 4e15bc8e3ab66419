"""Notices and erasures through the API: one's own only, wishes that stand, a receipt that names nobody, and the workflow behind it."""

import asyncio
import json
import uuid
from typing import Any

from store.bulk import new_id
from store.event_log import NewEvent, append_events
from tests.api.test_stream import Served, listening, served
from tests.api.world import World

__all__ = ["served"]  # the fixture


async def notice(world: World, who: str, event_id: int, **values: Any) -> uuid.UUID:
    given = {"user_id": world.people[who], "event_id": event_id, "kind": "mentioned", "conversation_id": world.ids["conversation"]}
    return await world.insert("notices", **(given | values))


async def test_a_person_reads_their_own_notices_and_nobody_elses(world) -> None:
    mine, hers = await notice(world, "agent", 1), await notice(world, "viewer", 1)
    await notice(world, "agent", 2, live=False)
    async with world.client("agent") as agent, world.client("viewer") as viewer, world.client("key:read") as program:
        page = (await agent.get("/v1/notifications")).json()
        assert ([n["id"] for n in page["items"]], page["unread"]) == ([str(mine)], 1)
        assert page["items"][0]["conversation"]["subject"] == "Printer on fire"
        assert (await agent.post("/v1/notifications/read", json={"ids": [str(hers), str(mine)]})).json() == {"unread": 0}
        assert (await viewer.get("/v1/notifications?unread=true")).json()["unread"] == 1
        assert (await program.get("/v1/notifications")).json() == {"items": [], "next": None, "unread": 0}
        assert (await agent.post("/v1/notifications/read", json={})).status_code == 422
        assert (await agent.post("/v1/notifications/read", json={"ids": ["x"]})).status_code == 422


async def test_wishes_stand_and_the_rest_is_as_usual(world) -> None:
    asked = {"kinds": {"reply": {"live": False, "mail": "at_once"}}, "digest": {"pace": "daily", "daily_hour": 7, "time_zone": "Europe/Berlin"}}
    async with world.client("agent") as agent, world.client("admin") as admin:
        await agent.put("/v1/me/preferences", json=asked)
        told = (await agent.get("/v1/me/preferences")).json()
        assert told["kinds"]["reply"] == {"live": False, "mail": "at_once"}
        assert told["kinds"]["assigned"] == {"live": True, "mail": "digest"}
        assert (told["digest"]["pace"], told["digest"]["time_zone"], told["mailed_from"]) == ("daily", "Europe/Berlin", None)
        wrong = await agent.put("/v1/me/preferences", json={"digest": {"time_zone": "Mars/Olympus"}})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "digest.time_zone")
        assert (await admin.put("/v1/notification-settings", json={"inbox_id": str(new_id())})).status_code == 422
        await admin.put("/v1/notification-settings", json={"inbox_id": str(world.ids["inbox"])})
        assert (await agent.get("/v1/me/preferences")).json()["mailed_from"] == "desk@example.org"


async def test_only_whom_it_names_hears_of_a_notice(served: Served) -> None:
    world = served.world
    async with listening(served, "agent") as mine, listening(served, "owner") as others, listening(served, "key:read") as program:
        for stream in (mine, others, program):
            assert (await asyncio.wait_for(anext(stream), 30)).event == "ready"
        async with served.deps.database.unit_of_work(world.tenant_id) as connection:
            payload = {"user_id": str(world.people["agent"]), "kind": "mentioned"}
            await append_events(connection, [NewEvent("notification.added", world.tenant_id, payload=payload)])
            await append_events(connection, [NewEvent("conversation.updated", world.tenant_id)])
        heard = [(await asyncio.wait_for(anext(mine), 30)).event for _ in range(2)]
        assert heard == ["notification.added", "conversation.updated"]
        for stream in (others, program):
            assert (await asyncio.wait_for(anext(stream), 30)).event == "conversation.updated"


async def test_an_erasure_needs_the_address_and_its_receipt_names_nobody(world) -> None:
    contact = await world.insert("contacts", name="Ella Example")
    await world.insert("contact_identities", contact_id=contact, channel="email", identifier="Ella@Example.com", identifier_key="ella@example.com")
    async with world.client("admin") as admin:
        wrong = await admin.post(f"/v1/contacts/{contact}/erase", json={"confirm": "other@example.com"})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "confirm")
        first = (await admin.post(f"/v1/contacts/{contact}/erase", json={"confirm": " ELLA@example.com"})).json()
        again = (await admin.post(f"/v1/contacts/{contact}/erase", json={"confirm": "ella@example.com"})).json()
        assert (first["id"], first["state"]) == (again["id"], "erasing")
        told = (await admin.get(f"/v1/erasures/{first['id']}")).json()
    assert "ella" not in json.dumps(told).lower()
    assert len(told["address_hashes"][0]) == 64
    assert ("erase", str(world.tenant_id), first["id"]) in [tuple(c) for c in world.gateway.calls]


async def test_a_policy_is_kept_and_previewed(world) -> None:
    async with world.client("admin") as admin:
        told = (await admin.put("/v1/retention", json={"trash_days": 30})).json()
        assert (told["trash_days"], told["spam_days"], told["notice_days"], told["runs"]) == (30, None, 90, [])
        assert told["changed_at"] is not None
        assert (await admin.get("/v1/retention/preview", params={"trash_days": "1"})).json()["trash"] == 0
        assert (await admin.put("/v1/retention", json={"trash_days": 0})).status_code == 422
        held = await admin.put(f"/v1/conversations/{world.ids['conversation']}/hold", json={"held": True})
        assert held.json() == {"held": True}
        assert (await admin.get(f"/v1/conversations/{world.ids['conversation']}")).json()["held"] is True
        assert (await admin.get("/v1/retention/preview")).json()["held"] == 1
