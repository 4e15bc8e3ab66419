"""A mail finds its person by itself: rules, assignment, clocks, views, notices, figures and webhooks, all by one reader of the event log."""

import json
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx

from tests.journeys.driver import Mailbox, Mailroom, letter, until
from tests.servers.webhook_receiver import receiver

PASSWORD = "a long enough passphrase"


async def agent(mailroom: Mailroom, name: str, **profile: Any) -> tuple[dict[str, Any], httpx.AsyncClient]:
    """A person of the team, signed in and online."""
    email = f"{name.lower()}-{uuid.uuid4().hex[:8]}@mailroom.example.com"
    made = await mailroom.post("/v1/users", {"email": email, "name": name, "role": "agent", "password": PASSWORD, **profile}, status=201)
    origin = mailroom.stack["api_url"]
    client = httpx.AsyncClient(base_url=origin, headers={"X-Mailroom": "1", "Origin": origin}, trust_env=False, timeout=40)
    answer = await client.post("/v1/session", json={"email": email, "password": PASSWORD})
    assert answer.status_code in (200, 201), answer.text
    online = await client.put("/v1/me/status", json={"status": "online"})
    assert online.status_code == 200, online.text
    return made.get("user", made), client


async def test_a_mail_is_routed_assigned_timed_and_counted(
    mailroom: Mailroom, pymap_box: Mailbox, customer: Mailbox, smtp: Callable[[], tuple[str, int, str, str]]
) -> None:
    inbox = await mailroom.connect_inbox(pymap_box, smtp())
    word = f"invoice{uuid.uuid4().hex[:6]}"
    ann, ann_client = await agent(mailroom, "Ann", skills=["billing"])
    _, bob_client = await agent(mailroom, "Bob", skills=["bikes"])
    async with AsyncExitStack() as open_clients:
        for client in (ann_client, bob_client):
            open_clients.push_async_callback(client.aclose)
        answer = await mailroom.api.put(f"/v1/inboxes/{inbox['id']}/assignment-policy", json={"strategy": "skills", "must_match": True})
        assert answer.status_code == 200, answer.text
        program = await open_clients.enter_async_context(receiver(500, 200))
        webhook = await mailroom.post("/v1/webhooks", {"name": "Tickets", "url": program.url}, status=201)
        await mailroom.post("/v1/rules", {
            "name": f"Invoices {word}",
            "condition": {"all": [{"field": "subject", "op": "contains", "value": word}]},
            "actions": [{"type": "tag", "names": ["billing"]}, {"type": "priority", "value": "high"}, {"type": "webhook", "endpoint": webhook["id"]}],
        }, status=201)
        tag = await mailroom.post("/v1/tags", {"name": "billing", "color": "#b45309"}, status=201)
        view = await mailroom.post("/v1/views", {
            "name": f"Invoices {word}", "shared": True, "conditions": {"all": [{"field": "tag", "op": "in", "value": [tag["id"]]}, {"field": "inbox", "op": "in", "value": [inbox["id"]]}]},
        }, status=201)
        pymap_box.put(letter(customer.address, pymap_box.address, f"About {word}", "It was charged twice.").as_bytes())
        conversation = await mailroom.conversation_about(word, inbox)

        async def handled() -> Any:
            now = await mailroom.get(f"/v1/conversations/{conversation['id']}")
            return now if now["assigned_to"] else None

        now = await until("rules and assignment have acted", handled)
        assert [tag["name"] for tag in now["tags"]] == ["billing"]
        assert now["priority"] == "high"
        assert now["assigned_to"]["id"] == ann["id"]

        async def told() -> Any:
            page = (await ann_client.get("/v1/notifications")).json()
            return [one for one in page["items"] if one["kind"] == "assigned"]

        await until("Ann is told", told)
        listed = await mailroom.get("/v1/conversations", view=view["id"])
        assert [one["id"] for one in listed["items"]] == [conversation["id"]]

        async def taken() -> Any:
            page = await mailroom.get(f"/v1/webhooks/{webhook['id']}/deliveries")
            return [one for one in page["items"] if one["status"] == "delivered"]

        (delivery,) = await until("another program has taken it at the second attempt", taken)
        assert len(program.told) > 1
        assert {told.headers["webhook-id"] for told in program.told} == {delivery["id"]}
        data = json.loads(program.told[1].body)["data"]
        assert (data["conversation"]["id"], data["conversation"]["tags"]) == (conversation["id"], ["billing"])
        assert data["links"]["conversation"].endswith(f"/v1/conversations/{conversation['id']}")
