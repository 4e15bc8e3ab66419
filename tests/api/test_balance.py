"""The mailbox balance: figures of every folder, gaps with their counts, and an order that stands in the row."""

from typing import Any

from tests.api.world import World

FIGURES = {"at_provider": 12, "in_ledger": 9, "ingested": 8, "quarantined": 1, "history_waiting": 2, "missing": 1}
ZERO = ("stored", "skipped", "seen", "vanished", "gone", "deleted", "ahead", "beyond_horizon", "not_asked_for", "extra")


async def sheet(world: World, **values: Any) -> None:
    folder = world.ids["folder"]
    counts = {**dict.fromkeys(ZERO, 0), **FIGURES, **values}
    await world.insert("audits", inbox_id=world.ids["inbox"], folder_id=folder, reason="nightly", uidvalidity=7, **counts)


async def test_the_last_sheet_of_each_folder_and_open_gaps_are_shown(world) -> None:
    folder = world.ids["folder"]
    await sheet(world, missing=0, at_provider=11)
    await sheet(world)
    await world.insert("gaps", inbox_id=world.ids["inbox"], folder_id=folder, cause="audit", listed=12, missing=1)
    await world.rows("insert into gaps (tenant_id, inbox_id, folder_id, cause, missing, refilled, closed_at) values (:tenant, :i, :f, 'reauth', 37, 37, now())", tenant=world.tenant_id, i=world.ids["inbox"], f=folder)
    async with world.client("admin") as client:
        items = (await client.get("/v1/balance")).json()["items"]
        gaps = (await client.get(f"/v1/inboxes/{world.ids['inbox']}/gaps")).json()["items"]
        audits = (await client.get(f"/v1/inboxes/{world.ids['inbox']}/audits", params={"limit": 1})).json()
        rest = (await client.get(f"/v1/inboxes/{world.ids['inbox']}/audits", params={"after": audits["next"]})).json()
    line = next(i for i in items if i["inbox"]["id"] == str(world.ids["inbox"]))
    assert (line["missing"], line["extra"], line["audit_asked"]) == (1, 0, False)
    shown = next(f for f in line["folders"] if f["id"] == str(folder))
    assert {k: shown["audit"][k] for k in FIGURES} == FIGURES
    assert shown["gaps_closed"] == 1
    assert [(g["cause"], g["missing"], g["closed_at"]) for g in line["open_gaps"]] == [("audit", 1, None)]
    assert {g["cause"]: g["refilled"] for g in gaps} == {"reauth": 37, "audit": 0}
    assert {a["missing"] for a in (*audits["items"], *rest["items"])} == {1, 0}


async def test_an_order_stands_in_the_row_before_anybody_is_told(world) -> None:
    inbox = world.ids["inbox"]
    async with world.client("admin") as client:
        answer = await client.post(f"/v1/inboxes/{inbox}/audit")
        assert (answer.status_code, answer.json()) == (202, {"workflow_id": f"inbox-sync/{inbox}"})
        (row,) = await world.rows("select audit_asked, audit_due_at <= now() as due from inboxes where id = :i", i=inbox)
        assert row == {"audit_asked": True, "due": True}
        assert ("signal", str(inbox), "poke") in world.gateway.calls
        assert next(i for i in (await client.get("/v1/balance")).json()["items"] if i["inbox"]["id"] == str(inbox))["audit_asked"] is True
        await world.rows("update inboxes set paused_at = now() where id = :i", i=inbox)
        refused = await client.post(f"/v1/inboxes/{inbox}/audit")
    assert (refused.status_code, refused.json()["detail"]) == (409, "This inbox does not sync now. Resume it first.")
