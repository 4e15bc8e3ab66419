"""Webhooks are kept by administrators: secrets are shown once, addresses checked, deliveries listed and made again."""

import json
import uuid
from typing import Any

import pytest

from store.webhook_endpoints import opened
from tests.api.route_cases import NEW_WEBHOOK
from tests.api.world import World

UNKNOWN = "00000000-0000-7000-8000-000000000000"


async def secrets_of(world: World, webhook_id: str) -> tuple[str, str | None]:
    statement = "select secrets_sealed, secrets_key_id from webhook_endpoints where id = :id"
    (row,) = await world.rows(statement, id=uuid.UUID(webhook_id))
    return opened(world.deps.sealer, world.tenant_id, uuid.UUID(webhook_id), row["secrets_sealed"], row["secrets_key_id"])


async def made(world: World, **more: Any) -> dict[str, Any]:
    async with world.client("admin") as admin:
        answer = await admin.post("/v1/webhooks", json={**NEW_WEBHOOK, **more})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_secret_is_shown_when_it_is_made_and_never_again(world: World) -> None:
    webhook = await made(world)
    first = webhook.pop("secret")
    assert first.startswith("whsec_")
    assert await secrets_of(world, webhook["id"]) == (first, None)
    at = f"/v1/webhooks/{webhook['id']}"
    async with world.client("admin") as admin:
        assert (await admin.get(at)).json() == webhook
        assert webhook in (await admin.get("/v1/webhooks")).json()["items"]
        rotated = (await admin.post(f"{at}/rotate")).json()
        assert rotated["previous_until"] is not None
        assert await secrets_of(world, webhook["id"]) == (rotated["secret"], first)
        again = (await admin.post(f"{at}/rotate")).json()["secret"]
        shown = (await admin.get(at)).text + (await admin.get(f"{at}/deliveries")).text + (await admin.get("/v1/webhooks")).text
    assert await secrets_of(world, webhook["id"]) == (again, rotated["secret"])
    told = await world.rows("select type, payload from events where payload ->> 'webhook_id' = :id order by id", id=webhook["id"])
    assert [t["type"] for t in told] == ["webhook.created", "webhook.rotated", "webhook.rotated"]
    for secret in (first, rotated["secret"], again):
        assert secret not in shown + json.dumps([t["payload"] for t in told])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"url": "http://example.com/"}, "url"), ({"url": "https://u:p@example.com/"}, "url"), ({"url": "example.com"}, "url"), ({"events": ["notification.added"]}, "events"),
     ({"events": ["webhook.disabled"]}, "events"), ({"inbox_ids": [UNKNOWN]}, "inbox_ids[0]"), ({"inbox_ids": []}, "inbox_ids"), ({"name": " "}, "name")],
)  # fmt: skip
async def test_what_cannot_be_is_refused_by_its_field(world: World, wrong: dict[str, Any], field: str) -> None:
    webhook = await made(world)
    async with world.client("admin") as admin:
        for answer in (
            await admin.post("/v1/webhooks", json={**NEW_WEBHOOK, **wrong}),
            await admin.patch(f"/v1/webhooks/{webhook['id']}", json=wrong),
        ):
            assert answer.status_code == 422, answer.text
            assert [e["field"] for e in answer.json()["errors"]] == [field]


async def test_a_change_leaves_what_it_does_not_name(world: World) -> None:
    webhook = await made(world, inbox_ids=[str(world.ids["inbox"])])
    async with world.client("admin") as admin:
        at = f"/v1/webhooks/{webhook['id']}"
        changed = (await admin.patch(at, json={"events": ["sla.breached", "sla.breached"]})).json()
        assert (changed["events"], changed["inbox_ids"], changed["name"]) == (["sla.breached"], [str(world.ids["inbox"])], "Tickets")
        assert (await admin.patch(at, json={"inbox_ids": None})).json()["inbox_ids"] is None
        assert (await admin.delete(at)).status_code == 204
        assert (await admin.get(at)).status_code == 404


async def test_a_test_waits_starts_the_workflow_and_can_be_told_again(world: World) -> None:
    webhook = await made(world)
    at = f"/v1/webhooks/{webhook['id']}"
    async with world.client("admin") as admin:
        told = (await admin.post(f"{at}/test")).json()
        assert (told["status"], told["event_type"], told["payload"]) == ("pending", "webhook.test", {"test": True})
        assert ("webhook", str(world.tenant_id), webhook["id"]) in world.gateway.calls
        await world.rows(
            "update webhook_deliveries set status = 'failed', attempts = 10, error = 'server_error', response_status = 500, duration_ms = 7 where id = :id",
            id=uuid.UUID(told["id"]),
        )
        await world.rows("update webhook_endpoints set next_attempt_at = now() + interval '3 hours' where id = :id", id=uuid.UUID(webhook["id"]))
        listed = (await admin.get(f"{at}/deliveries", params={"status": "failed"})).json()["items"]
        assert [(d["id"], d["error"], d["response_status"], d["duration_ms"]) for d in listed] == [(told["id"], "server_error", 500, 7)]
        again = (await admin.post(f"{at}/deliveries/{told['id']}/redeliver")).json()
        assert (again["id"], again["status"], again["attempts"], again["error"]) == (told["id"], "pending", 0, None)
        assert (await admin.get(at)).json()["next_attempt_at"] is None
        newer = (await admin.post(f"{at}/test")).json()
        page = (await admin.get(f"{at}/deliveries", params={"limit": 1})).json()
        assert [d["id"] for d in page["items"]] == [newer["id"]]
        rest = (await admin.get(f"{at}/deliveries", params={"limit": 1, "after": page["next"]})).json()
        assert ([d["id"] for d in rest["items"]], rest["next"]) == ([told["id"]], None)


async def test_one_that_is_switched_off_is_told_nothing_until_it_is_on_again(world: World) -> None:
    webhook = await made(world)
    at = f"/v1/webhooks/{webhook['id']}"
    async with world.client("admin") as admin:
        waiting = (await admin.post(f"{at}/test")).json()
        off = (await admin.patch(at, json={"status": "disabled"})).json()
        assert (off["status"], off["disabled_reason"], off["waiting"]) == ("disabled", "person", 1)
        for call in (f"{at}/test", f"{at}/deliveries/{waiting['id']}/redeliver"):
            answer = await admin.post(call)
            assert (answer.status_code, answer.json()["type"]) == (409, "/problems/webhook-off")
        started = world.gateway.calls.count(("webhook", str(world.tenant_id), webhook["id"]))
        on = (await admin.patch(at, json={"status": "active"})).json()
        assert (on["status"], on["disabled_reason"]) == ("active", None)
        assert world.gateway.calls.count(("webhook", str(world.tenant_id), webhook["id"])) == started + 1
