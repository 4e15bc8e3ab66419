"""Contacts: found by name and address, with their fields, merged and unmerged; and nothing of inboxes that one may not see."""

import uuid

import pytest

from tests.api.world import World


async def contact(world: World, name: str, address: str, **values: object) -> uuid.UUID:
    made = await world.insert("contacts", name=name, **values)
    await world.insert("contact_identities", contact_id=made, channel="email", identifier=address, identifier_key=address)
    return made


async def hidden_inbox(world: World) -> uuid.UUID:
    hidden = await world.insert("inboxes", name="Board", email_address="board@example.org", settings={"imap": {}})
    await world.rows(
        "insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)", i=hidden, u=world.people["admin"]
    )
    return hidden


async def test_the_list_is_searched_and_paged(world: World) -> None:
    await contact(world, "Carla Client", "carla@customer.example.com", company="Printworks")
    await contact(world, "Paul", "paul_b@customer.example.com", vip=True)
    await contact(world, "", "nobody@customer.example.net")
    async with world.client() as agent:

        async def found(**query: str) -> list[str]:
            answer = await agent.get("/v1/contacts", params=query)
            return [c["identities"][0]["identifier"].partition("@")[0] for c in answer.json()["items"]]

        assert await found() == ["nobody", "paul_b", "carla"]
        assert await found(search="client") == ["carla"]
        assert await found(search="PRINTW") == ["carla"]
        assert await found(search="Paul_B@Customer.example.com") == ["paul_b"]
        assert await found(search="l_b") == ["paul_b"]
        assert await found(search="%") == []
        assert await found(vip="true") == ["paul_b"]
        first = (await agent.get("/v1/contacts", params={"limit": "2"})).json()
        assert await found(after=first["next"]) == ["carla"]


async def test_fields_have_types_and_are_changed_one_by_one(world: World) -> None:
    made = await contact(world, "Carla", "carla@customer.example.com")
    fields = {
        "plan": {"type": "text", "value": "gold"},
        "seats": {"type": "number", "value": 12},
        "invoice": {"type": "bool", "value": True},
        "since": {"type": "date", "value": "2024-02-29"},
    }
    async with world.client() as agent:
        path = f"/v1/contacts/{made}"
        shown = (await agent.patch(path, json={"custom": fields, "vip": True, "company": "Printworks"})).json()
        assert (shown["vip"], shown["company"], shown["name"]) == (True, "Printworks", "Carla")
        assert shown["custom"] == fields
        shown = (await agent.patch(path, json={"custom": {"seats": None, "plan": {"type": "text", "value": "tin"}}})).json()
        assert shown["custom"] == {"plan": {"type": "text", "value": "tin"}, "invoice": fields["invoice"], "since": fields["since"]}
        many = {f"field {n}": {"type": "bool", "value": False} for n in range(48)}
        too_many = await agent.patch(path, json={"custom": many})
        assert (too_many.status_code, too_many.json()["errors"][0]["field"]) == (422, "custom")
    told = await world.rows("select payload from events where type = 'contact.updated'")
    assert told == [{"payload": {"contact_ids": [str(made)]}}] * 2


@pytest.mark.parametrize(
    "field",
    [
        {"type": "text", "value": 1},
        {"type": "number", "value": "1"},
        {"type": "number", "value": True},
        {"type": "bool", "value": "true"},
        {"type": "date", "value": "2025-02-29"},
        {"type": "money", "value": 1},
    ],
)
async def test_a_value_of_another_type_is_refused(world: World, field: dict[str, object]) -> None:
    made = await contact(world, "Carla", "carla@customer.example.com")
    async with world.client() as agent:
        assert (await agent.patch(f"/v1/contacts/{made}", json={"custom": {"x": field}})).status_code == 422


async def test_two_contacts_are_one_person_and_two_again(world: World) -> None:
    one = await contact(world, "Carla", "carla@customer.example.com", vip=True)
    other = await contact(world, "C. Client", "cc@customer.example.net")
    await world.rows("update conversations set contact_id = :c", c=one)
    of_other = await world.conversation(43, contact_id=other)
    async with world.client() as agent:
        merged = (await agent.post(f"/v1/contacts/{one}/merge", json={"into": str(other)})).json()
        assert (merged["id"], merged["vip"], merged["open"]) == (str(other), True, 2)
        assert {i["identifier"] for i in merged["identities"]} == {"carla@customer.example.com", "cc@customer.example.net"}
        listed = (await agent.get("/v1/contacts")).json()["items"]
        assert [c["id"] for c in listed] == [str(other)]
        theirs = (await agent.get(f"/v1/contacts/{other}/conversations")).json()["items"]
        assert {c["id"] for c in theirs} == {str(of_other), str(world.ids["conversation"])}
        assert (await agent.get(f"/v1/contacts/{one}")).json()["merged_into"] == str(other)
        itself = await agent.post(f"/v1/contacts/{other}/merge", json={"into": str(one)})
        assert (itself.status_code, itself.json()["errors"][0]["field"]) == (422, "into")

        alone = (await agent.post(f"/v1/contacts/{one}/unmerge")).json()
        assert (alone["merged_into"], alone["open"]) == (None, 1)
        theirs = (await agent.get(f"/v1/contacts/{other}/conversations")).json()["items"]
        assert [c["id"] for c in theirs] == [str(of_other)]


async def test_of_a_hidden_inbox_nothing_is_shown(world: World) -> None:
    hidden = await hidden_inbox(world)
    secret = await contact(world, "Board member", "board@customer.example.com")
    both = await contact(world, "Carla", "carla@customer.example.com")
    await world.conversation(43, contact_id=secret, inbox_id=hidden)
    await world.conversation(44, contact_id=both, inbox_id=hidden)
    await world.rows("update conversations set contact_id = :c where number = 42", c=both)
    async with world.client("agent") as agent:
        assert [c["id"] for c in (await agent.get("/v1/contacts")).json()["items"]] == [str(both)]
        assert (await agent.get("/v1/contacts", params={"search": "board"})).json()["items"] == []
        for path in ("", "/conversations"):
            assert (await agent.get(f"/v1/contacts/{secret}{path}")).status_code == 404
        assert (await agent.patch(f"/v1/contacts/{secret}", json={"vip": True})).status_code == 404
        shown = (await agent.get(f"/v1/contacts/{both}")).json()
        theirs = (await agent.get(f"/v1/contacts/{both}/conversations")).json()["items"]
        assert (shown["open"], [c["number"] for c in theirs]) == (1, [42])
        target = await agent.post(f"/v1/contacts/{both}/merge", json={"into": str(secret)})
        unknown = await agent.post(f"/v1/contacts/{both}/merge", json={"into": str(uuid.uuid4())})
        assert (target.status_code, target.json()["errors"]) == (422, unknown.json()["errors"])
    async with world.client("admin") as admin:
        assert len((await admin.get("/v1/contacts")).json()["items"]) == 2
