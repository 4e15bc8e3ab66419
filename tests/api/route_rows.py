"""Rows that only some routes are called with: made once more beside what a `World` has."""

import uuid

from tests.api.reingest_rows import planned_run
from tests.api.route_cases import FORGOTTEN, NEW_HOURS, NEW_POLICY, NEW_RULE, NEW_WEBHOOK, SUPPRESSED
from tests.api.world import World


async def fill(world: World) -> None:
    """Ids that only some routes need."""
    world.ids["key"] = (await world.rows("select id from api_keys where scopes = '{read}'"))[0]["id"]
    async with world.client("agent") as agent:
        slot = (await agent.post("/v1/uploads", json={"filename": "a.txt", "size_bytes": 3})).json()
        world.ids["upload"] = uuid.UUID(slot["id"])
        await agent.put(slot["put_url"], content=b"abc", headers=slot["headers"])
    await world.rows(
        "insert into suppressed_addresses (tenant_id, address_key, address, reason) values (:tenant, :a, :a, 'bounce') on conflict do nothing",
        a=SUPPRESSED,
    )
    world.ids["reingest"] = await planned_run(world)
    if "second" not in world.ids:
        person = world.people["agent"]
        ended = {"asked_by": person, "actor": f"user:{person}", "change": {}, "state": "done", "total": 1, "done": 1}
        world.ids["bulk"] = await world.insert("bulks", **ended)
        world.ids["twin"] = await world.insert("contacts", name="Carla again")
        world.ids["second"] = await world.conversation(43)
    world.ids["team"] = await world.insert("teams", name=f"Printers {uuid.uuid4().hex[:8]}")
    address = f"colleague-{uuid.uuid4().hex}@example.org"
    world.ids["colleague"] = await world.insert("users", email=address, email_key=address, name="A colleague", role="agent")
    note = {"conversation_id": world.ids["conversation"], "user_id": world.people["agent"], "content": "Ask Bo.", "at_version": 1}
    world.ids["note"], world.ids["agent"] = await world.insert("notes", **note), world.people["agent"]
    async with world.client("admin") as admin:
        world.ids["rule"] = uuid.UUID((await admin.post("/v1/rules", json=NEW_RULE)).json()["id"])
        world.ids["dry run"] = uuid.UUID((await admin.post("/v1/rules/dry-run", json={"rule": NEW_RULE, "days": 1})).json()["id"])
        world.ids["hours"] = uuid.UUID((await admin.post("/v1/business-hours", json=NEW_HOURS)).json()["id"])
        world.ids["policy"] = uuid.UUID((await admin.post("/v1/sla-policies", json=NEW_POLICY)).json()["id"])
    async with world.client("admin") as admin:
        made = await admin.post("/v1/webhooks", json=NEW_WEBHOOK)
        world.ids["webhook"] = uuid.UUID(made.json()["id"])
        told = await admin.post(f"/v1/webhooks/{world.ids['webhook']}/test")
        world.ids["delivery"] = uuid.UUID(told.json()["id"])
    world.ids["template"] = await world.insert("templates", name="Mine", body_text="Hi", user_id=world.people["agent"])
    world.ids["shared template"] = await world.insert("templates", name="Ours", body_text="Hi {{customer.name}}")
    world.ids["tag"] = await world.insert("tags", name=uuid.uuid4().hex)
    for row, name in (("domain", "example.org"), ("spare domain", "spare.example.org")):
        world.ids[row] = await world.insert("domains", name=name, challenge="c0ffee")
    world.ids["ready domain"] = await world.insert("domains", name=f"d{uuid.uuid4().hex}.example.org", challenge="c0ffee", ses_verified=True)
    await world.rows("update domains set verified_at = now() where id = :d", d=world.ids["ready domain"])
    await world.rows("update inboxes set domain_id = :d, local_part = 'desk' where id = :i", d=world.ids["domain"], i=world.ids["inbox"])
    mine = {"owner_id": world.people["agent"], "shared": True, "conditions": {"all": []}}
    world.ids["view"] = await world.insert("views", name="Everything", **mine)
    token = world.deps.picture_tokens.of_attachment(world.tenant_id, world.ids["picture"])
    world.ids["token"] = token  # type: ignore[assignment]
    if "forgotten" not in world.ids:
        world.ids["forgotten"] = await world.insert("contacts", name="Ella")
        address = {"identifier": FORGOTTEN, "identifier_key": FORGOTTEN, "channel": "email"}
        await world.insert("contact_identities", contact_id=world.ids["forgotten"], **address)
        world.ids["erasure"] = await world.insert("erasures", contact_id=uuid.uuid4())
    if "contact" not in world.ids:
        world.ids["contact"] = await world.insert("contacts", name="Carla")
