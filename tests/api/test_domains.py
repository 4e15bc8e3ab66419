"""Domains over HTTP: names are checked, a claim shows the record to set, the row is due before anybody looks."""

import datetime as dt
import uuid

import pytest

from tests.api.world import new_inbox


async def claimed(world, name: str = "shop.example.org", **values) -> dict:
    async with world.client("admin") as client:
        answer = await client.post("/v1/domains", json={"name": name, **values})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_claim_shows_the_record_that_proves_it(world) -> None:
    domain = await claimed(world, " Shop.Example.ORG. ")
    assert domain["name"] == "shop.example.org"
    assert not domain["verified"]
    [record] = domain["records"]
    assert (record["name"], record["type"], record["status"]) == ("_mailroom.shop.example.org", "TXT", "waiting")
    assert record["value"].startswith("mailroom-domain=")
    async with world.client("viewer") as client:
        assert (await client.get("/v1/domains")).json()["items"] == [domain]
    async with world.client("admin") as client:
        again = await client.post("/v1/domains", json={"name": "shop.example.org"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/domain-exists")


async def test_a_name_in_another_script_is_kept_as_dns_knows_it(world) -> None:
    assert (await claimed(world, "bücher.example.org"))["name"] == "xn--bcher-kva.example.org"


@pytest.mark.parametrize(
    "name",
    ["example", "", "a@example.org", "https://example.org", "192.0.2.1", "[192.0.2.1]", "a b.example.org", "_x.example.org",
     "a..example.org", "-a.example.org", "a" * 64 + ".example.org", "x." * 126 + "org", "example.org\n.evil.example"],
)  # fmt: skip
async def test_what_is_no_domain_is_refused_with_its_field(world, name) -> None:
    async with world.client("admin") as client:
        answer = await client.post("/v1/domains", json={"name": name})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "name"), answer.text


@pytest.mark.parametrize(
    ("field", "value"),
    [("from_name", "a\r\nBcc: x"), ("reply_to_address", "nobody"), ("bounce_address", "a@example.org\nb"), ("verified", True)],
)
async def test_wrong_defaults_are_named(world, field, value) -> None:
    domain = await claimed(world)
    async with world.client("admin") as client:
        answer = await client.patch(f"/v1/domains/{domain['id']}", json={field: value})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_defaults_are_set_and_taken_away(world) -> None:
    domain = await claimed(world, from_name="Example Shop", bounce_address="bounces@shop.example.org")
    path = f"/v1/domains/{domain['id']}"
    async with world.client("admin") as client:
        changed = (await client.patch(path, json={"from_name": None, "reply_to_address": "desk@shop.example.org"})).json()
    assert (changed["from_name"], changed["reply_to_address"]) == (None, "desk@shop.example.org")
    assert changed["bounce_address"] == "bounces@shop.example.org"


async def test_check_now_makes_it_due_and_asks(world) -> None:
    domain = await claimed(world)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    await world.rows("update domains set check_due_at = :at where id = :id", at=later, id=domain["id"])
    async with world.client("admin") as client:
        assert (await client.post(f"/v1/domains/{domain['id']}/verify")).status_code == 200
        assert ("check_domain", str(world.tenant_id), domain["id"]) in world.gateway.calls
        await world.rows("update domains set check_due_at = :at where id = :id", at=later, id=domain["id"])
        world.gateway.away = True
        answer = await client.post(f"/v1/domains/{domain['id']}/verify")
    assert answer.status_code == 503
    [row] = await world.rows("select check_due_at <= now() as due from domains where id = :id", id=domain["id"])
    assert row["due"], "with Temporal away the sweep checks it"


async def test_inboxes_join_by_their_address_and_one_catches_the_rest(world) -> None:
    domain = await claimed(world, "example.org")
    async with world.client("admin") as client:
        second = (await client.post("/v1/inboxes", json=dict(new_inbox()))).json()
        other = {**new_inbox(), "email_address": "third@elsewhere.example.com"}
        third = (await client.post("/v1/inboxes", json=other)).json()
        at = f"/v1/domains/{domain['id']}/inboxes"
        joined = await client.put(f"{at}/{world.ids['inbox']}", json={"is_catchall": True})
        assert joined.status_code == 200, joined.text
        [inside] = joined.json()["inboxes"]
        assert (inside["local_part"], inside["is_catchall"]) == ("desk", True)
        taken = await client.put(f"{at}/{second['id']}", json={"is_catchall": True})
        assert (taken.status_code, taken.json()["type"]) == (409, "/problems/catchall-taken")
        assert (await client.put(f"{at}/{second['id']}", json={})).status_code == 200
        wrong = await client.put(f"{at}/{third['id']}", json={})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "inbox_id")
        assert (await client.put(f"{at}/{uuid.uuid4()}", json={})).status_code == 404
        used = await client.delete(f"/v1/domains/{domain['id']}")
        assert (used.status_code, used.json()["type"]) == (409, "/problems/domain-in-use")
        for inbox in (world.ids["inbox"], second["id"]):
            assert (await client.delete(f"{at}/{inbox}")).status_code == 204
        assert (await client.delete(f"/v1/domains/{domain['id']}")).status_code == 204
        assert (await client.get(f"/v1/domains/{domain['id']}")).status_code == 404
