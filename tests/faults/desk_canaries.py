"""The desk's own words, planted: notes, drafts, tags, rules, templates, views, teams, hours, contacts, signatures, and what is refused of them."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.faults.rig import until

Plant = Callable[[str], str]
Ask = Callable[..., Awaitable[httpx.Response]]


async def write_at_the_desk(plant: Plant, ask: Ask, browser: httpx.AsyncClient, api: httpx.AsyncClient, about: str) -> None:
    """Everything that a person can write about the conversation `about`, or for the whole desk; `browser` is signed in."""
    await _for_the_desk(plant, ask, api)
    at = f"/v1/conversations/{about}"
    await ask(browser, "POST", f"{at}/notes", json={"content": plant("note")}, expect=201)
    await ask(browser, "PUT", f"{at}/draft", json={"html": f"<p>{plant('draft')}</p>", "subject": plant("draft-subject")}, expect=200)
    await ask(browser, "PUT", f"{at}/presence", json={"state": "writing", "tab": "one"})
    await ask(api, "PATCH", at, json={"tags": [plant("tag")], "category": plant("category"), "subject": plant("new-subject")}, expect=200)
    await ask(api, "PUT", f"{at}/assignment", json={"user_id": None, "reason": plant("reason")})
    messages = (await api.get(f"{at}/messages")).json()["items"]
    onward = {"message_id": messages[0]["id"], "to": [{"address": f"{plant('forward-to')}@customers.example.com"}], "note": plant("forward-note")}
    version = (await api.get(at)).json()["version"]
    sent = await ask(
        api, "POST", f"{at}/forward", json=onward, headers={"Idempotency-Key": plant("forward-key")}, expect=201
    )
    assert version
    contact = (await api.get(at)).json().get("contact_id")
    if contact:
        changed = {"name": plant("contact-name"), "company": plant("company"), "custom": {"plan": plant("custom")}}
        await ask(api, "PATCH", f"/v1/contacts/{contact}", json=changed, expect=200)

    async def over() -> bool:
        state = (await api.get(f"/v1/messages/{sent.json()['id']}")).json()["send"]["status"]
        return state not in {"queued", "scheduled", "sending"}

    await until("what was passed on is out", over, 60, every=0.5)


async def _for_the_desk(plant: Plant, ask: Ask, api: httpx.AsyncClient) -> None:
    tag = (await ask(api, "POST", "/v1/tags", json={"name": plant("named-tag")}, expect=201)).json()["id"]
    await ask(api, "POST", "/v1/tags", json={"name": plant("bad-tag") + "," + plant("bad-tag-2")}, expect=422)
    await ask(api, "POST", "/v1/teams", json={"name": plant("team"), "description": plant("description")}, expect=201)
    rule: dict[str, Any] = {
        "name": plant("rule"),
        "condition": {"any": [{"field": "subject", "op": "contains", "value": plant("rule-value")}, {"field": "body", "op": "matches", "value": "a+" + plant("pattern")}]},
        "actions": [{"type": "tag", "names": [plant("rule-tag")]}],
    }
    await ask(api, "POST", "/v1/rules", json=rule, expect=201)
    await ask(api, "POST", "/v1/rules/dry-run", json={"rule": rule, "days": 30}, expect=201)
    broken = {"any": [{"field": "subject", "op": "matches", "value": "(" + plant("broken-pattern")}]}
    await ask(api, "POST", "/v1/rules", json={**rule, "condition": broken}, expect=422)
    template = {"name": plant("template"), "text": f"Dear {{{{customer.first_name}}}}, {plant('template-text')}"}
    await ask(api, "POST", "/v1/templates", json=template, expect=201)
    view = {"name": plant("view"), "conditions": {"all": [{"field": "tag", "op": "in", "value": [tag]}]}}
    await ask(api, "POST", "/v1/views", json=view)
    await ask(api, "GET", f"/v1/contacts?search={plant('contact-search')}", expect=200)
    await ask(api, "GET", f"/v1/contacts/{uuid.uuid4()}", expect=404)
    hours = {"name": plant("hours"), "time_zone": "Europe/Berlin", "week": [[["09:00", "17:00"]]] * 5 + [[], []]}
    await ask(api, "POST", "/v1/business-hours", json=hours, expect=201)
    await ask(api, "POST", "/v1/business-hours", json={**hours, "time_zone": plant("zone")}, expect=422)
