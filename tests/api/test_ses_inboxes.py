"""An inbox at a domain through SES: only where the organisation holds the domain and SES sends as it; each refusal names its field."""

import uuid

import pytest


async def ready(world, name: str, *, held: bool = True, ses: bool = True) -> str:
    async with world.client("admin") as client:
        domain = (await client.post("/v1/domains", json={"name": name.replace("example.org", f"{uuid.uuid4().hex}.example.org")})).json()
    await world.rows(
        "update domains set verified_at = case when :held then now() end, ses_verified = :ses where id = :id",
        id=domain["id"], held=held, ses=ses,
    )  # fmt: skip
    return str(domain["id"])


def new(**changes: object) -> dict[str, object]:
    return {"name": "Sales", "local_part": "Sales"} | changes


async def test_an_inbox_is_made_at_the_domain_and_connecting(world) -> None:
    domain = await ready(world, "one.example.org")
    async with world.client("admin") as client:
        answer = await client.post(f"/v1/domains/{domain}/inboxes", json=new(is_catchall=True, display_name="Example Sales"))
        shown = (await client.get(f"/v1/domains/{domain}")).json()["inboxes"]
    inbox = answer.json()
    assert (answer.status_code, inbox["provider"], inbox["health"]) == (201, "ses", "connecting")
    assert inbox["email_address"].startswith("sales@one.")
    assert [(i["id"], i["local_part"], i["is_catchall"]) for i in shown] == [(inbox["id"], "sales", True)]
    assert ("connect", str(world.tenant_id), inbox["id"]) in world.gateway.calls


async def test_an_address_and_a_catch_all_are_given_once(world) -> None:
    domain = await ready(world, "two.example.org")
    path = f"/v1/domains/{domain}/inboxes"
    async with world.client("admin") as client:
        assert (await client.post(path, json=new(is_catchall=True))).status_code == 201
        taken = await client.post(path, json=new(local_part="SALES"))
        caught = await client.post(path, json=new(local_part="rest", is_catchall=True))
        count = len((await client.get(f"/v1/domains/{domain}")).json()["inboxes"])
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/address-taken")
    assert (caught.status_code, caught.json()["type"]) == (409, "/problems/catchall-taken")
    assert count == 1, "what was refused left no row"
    assert len(await world.rows("select 1 from inboxes where domain_id = :d or email_address like 'rest@%'", d=domain)) == 1


@pytest.mark.parametrize(("held", "ses", "word"), [(False, False, "ownership"), (True, False, "DKIM")])
async def test_a_domain_that_is_not_ready_is_refused_with_what_to_set(world, held, ses, word) -> None:
    domain = await ready(world, f"d{held}{ses}.example.org".lower(), held=held, ses=ses)
    async with world.client("admin") as client:
        answer = await client.post(f"/v1/domains/{domain}/inboxes", json=new())
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, "domain_id")
    assert word in error["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("local_part", ""), ("local_part", "a b"), ("local_part", "a@b"), ("local_part", ".a"), ("local_part", "a..b"), ("local_part", "ü"),
     ("local_part", "a" * 65), ("local_part", "a\nb"), ("name", " "), ("display_name", "a\r\nBcc: x"), ("imap", {})],
)  # fmt: skip
async def test_a_wrong_field_is_named(world, field, value) -> None:
    domain = await ready(world, "three.example.org")
    async with world.client("admin") as client:
        answer = await client.post(f"/v1/domains/{domain}/inboxes", json=new(**{field: value}))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text


SERVER = {"host": "imap.example.org", "port": 993, "username": "desk", "password": "a secret"}


@pytest.mark.parametrize(("field", "value"), [("imap", SERVER), ("smtp", SERVER), ("write_back", ["read"])])
async def test_what_ses_does_not_have_cannot_be_set(world, field, value) -> None:
    domain = await ready(world, "four.example.org")
    async with world.client("admin") as client:
        inbox = (await client.post(f"/v1/domains/{domain}/inboxes", json=new())).json()
        renamed = await client.patch(f"/v1/inboxes/{inbox['id']}", json={"name": "Orders", "write_back": []})
        answer = await client.patch(f"/v1/inboxes/{inbox['id']}", json={field: value})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "Orders")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
