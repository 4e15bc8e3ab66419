"""The list with its filters, pages and search; one conversation; and changes to it."""

import datetime as dt
import random
import uuid

import pytest

from store.search import index_messages
from tests.api.world import NOW, World


async def ids_of(world: World, who: str = "agent", **query: object) -> list[str]:
    async with world.client(who) as client:
        answer = await client.get("/v1/conversations", params=query)
        assert answer.status_code == 200, answer.text
        return [c["id"] for c in answer.json()["items"]]


async def test_an_item_says_what_a_list_shows(world) -> None:
    await world.rows("update conversations set assigned_to = :u, failed_sends = 1", u=world.people["agent"])
    tag = await world.insert("tags", name="fire", color="#ff0000")
    await world.rows(
        "insert into conversation_tags (tenant_id, conversation_id, tag_id) values (:tenant, :c, :t)",
        c=world.ids["conversation"],
        t=tag,
    )
    async with world.client("viewer") as client:
        (item,) = (await client.get("/v1/conversations")).json()["items"]
    assert item["number"] == 42
    assert item["customer"] == {"address": "carla@customer.example.com", "name": "Carla"}
    assert item["assigned_to"] == {"id": str(world.people["agent"]), "name": "The agent"}
    assert item["tags"] == [{"name": "fire", "color": "#ff0000"}]
    assert (item["has_failed_send"], item["has_unknown_send"]) == (True, False)
    assert item["last_message_at"] == "2025-03-04T09:00:00Z"


@pytest.mark.parametrize("seed", range(3))
async def test_pages_hold_every_row_once_in_order(world, seed) -> None:
    """Whatever the times (many equal), whatever the page size, both ways."""
    chance = random.Random(seed)
    for number in range(100, 135):
        await world.conversation(number, last_message_at=NOW + dt.timedelta(minutes=chance.randrange(6)))
    rows = await world.rows("select id, last_message_at from conversations")
    expected = [
        str(r["id"]) for r in sorted(rows, key=lambda r: (r["last_message_at"], r["id"]), reverse=True)
    ]
    for sort, whole in (("newest", expected), ("oldest", expected[::-1])):
        limit, got, after = chance.randrange(1, 12), [], None
        async with world.client("agent") as client:
            while True:
                query = {"sort": sort, "limit": limit} | ({"after": after} if after else {})
                page = (await client.get("/v1/conversations", params=query)).json()
                got += [c["id"] for c in page["items"]]
                assert len(page["items"]) <= limit
                after = page["next"]
                if after is None:
                    break
        assert got == whole


async def test_filters_narrow_together(world) -> None:
    other_box = await world.insert("inboxes", name="Sales", email_address="sales@example.org")
    made = {
        "pending": await world.conversation(50, status="pending"),
        "mine": await world.conversation(51, assigned_to=world.people["agent"], unread_count=2),
        "sales": await world.conversation(52, inbox_id=other_box, category="order", channel="sms"),
    }
    first = str(world.ids["conversation"])
    assert set(await ids_of(world, status=["pending", "closed"])) == {str(made["pending"])}
    assert set(await ids_of(world, assigned_to="me")) == {str(made["mine"])}
    assert set(await ids_of(world, assigned_to=str(world.people["agent"]))) == {str(made["mine"])}
    assert str(made["mine"]) not in await ids_of(world, assigned_to="none")
    assert set(await ids_of(world, inbox=str(other_box), category="order", channel="sms")) == {
        str(made["sales"])
    }
    assert set(await ids_of(world, unread="true")) == {str(made["mine"]), first}
    assert await ids_of(world, unread="false", assigned_to="me") == []
    assert await ids_of(world, tag="none such") == []


async def test_search_finds_words_beginnings_addresses_and_numbers(world) -> None:
    late = await world.conversation(777, customer_name="Zoë")
    await world.message(
        late, body_text="Die Rechnung Nummer 5 fehlt", body_visible="", from_address="zoe@shop.example.net"
    )
    async with world.database.unit_of_work(world.tenant_id) as connection:
        await index_messages(connection, world.tenant_id)
    first = str(world.ids["conversation"])
    for words in (
        "rechnung",
        "Rechn",
        '"nummer 5"',
        "zoe@shop.example.net",
        "shop",
        "#777",
        "777",
        "rechnung -feuer",
    ):
        assert await ids_of(world, search=words) == [str(late)], words
    assert set(await ids_of(world, search="burns or rechnung")) == {first, str(late)}
    for nothing in ("zzz", "rechnung -nummer", "'", '"', "&|!():*", "-", "\\", "a" * 300):
        assert await ids_of(world, search=nothing) == [], nothing


async def test_others_never_find_it(world, other) -> None:
    async with world.database.unit_of_work(world.tenant_id) as connection:
        await index_messages(connection, world.tenant_id)
    assert len(await ids_of(world, search="burns")) == 1
    assert str(world.ids["conversation"]) not in await ids_of(other, search="burns")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"after": "x"}, "after"),
        ({"after": "WyJ4Il0"}, "after"),
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"status": "opened"}, "status[0]"),
        ({"sort": "random"}, "sort"),
        ({"assigned_to": "somebody"}, "assigned_to"),
        ({"inbox": "1"}, "inbox[0]"),
        ({"search": "a\0b"}, "search"),
        ({"unread": ["true", "false"]}, "unread"),
    ],
)
async def test_a_wrong_parameter_is_named(world, query, field) -> None:
    async with world.client("agent") as client:
        answer = await client.get("/v1/conversations", params=query)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_members_only_inboxes_hide_their_conversations(world) -> None:
    await world.rows(
        "insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)",
        i=world.ids["inbox"],
        u=world.people["viewer"],
    )
    conversation = f"/v1/conversations/{world.ids['conversation']}"
    for who, sees in (
        ("viewer", True),
        ("agent", False),
        ("admin", True),
        ("owner", True),
        ("key:read", True),
    ):
        async with world.client(who) as client:
            status = 200 if sees else 404
            for path in (conversation, f"{conversation}/messages", f"/v1/messages/{world.ids['message']}"):
                assert (await client.get(path)).status_code == status, (who, path)
            assert (await client.get(f"/v1/inboxes/{world.ids['inbox']}")).status_code == status
            assert (await client.get(f"/v1/quarantine/{world.ids['quarantine']}/raw")).status_code == status
            assert bool((await client.get("/v1/conversations")).json()["items"]) is sees
            assert bool((await client.get("/v1/quarantine")).json()["items"]) is sees
            assert bool((await client.get("/v1/conversations/counts")).json()["open"]) is sees
    async with world.client("agent") as agent:
        assert (await agent.patch(conversation, json={"status": "closed"})).status_code == 404


async def test_counts(world) -> None:
    await world.conversation(60, status="pending", assigned_to=world.people["agent"])
    await world.conversation(61, status="closed")
    await world.conversation(62, merged_into=world.ids["conversation"])
    async with world.client("agent") as client:
        counts = (await client.get("/v1/conversations/counts")).json()
    assert counts == {
        "open": 1,
        "pending": 1,
        "snoozed": 0,
        "closed": 1,
        "unread": 1,
        "mine": 1,
        "unassigned": 1,
        "spam": 1,
        "spam_conversations": 0,
        "quarantined": 1,
        "inboxes": {str(world.ids["inbox"]): {"open": 1, "pending": 1, "unread": 1, "unassigned": 1}},
        "views": {},
    }


async def test_one_conversation_names_its_people_and_whom_a_reply_goes_to(world) -> None:
    other = await world.conversation(43, subject="Printer")
    await world.rows(
        "insert into thread_suggestions (tenant_id, conversation_id, other_id, why) values (:tenant, :a, :b, 'same subject')",
        a=world.ids["conversation"],
        b=other,
    )
    async with world.client("viewer") as client:
        found = (await client.get(f"/v1/conversations/{world.ids['conversation']}")).json()
    assert {"name": "Carla", "address": "carla@customer.example.com"} in found["participants"]
    assert found["suggestions"] == [
        {"conversation_id": str(other), "number": 43, "subject": "Printer", "why": "same subject"}
    ]
    assert found["reply"]["to"] == [{"address": "carla@customer.example.com", "name": "Carla"}]
    assert found["reply"]["from"] == {"address": "desk@example.org", "name": "Example Desk"}
    assert "42" in found["reply"]["subject"]
    assert found["merged_into"] is None


async def test_a_merged_one_names_its_survivor(world) -> None:
    merged = await world.conversation(44, merged_into=world.ids["conversation"])
    async with world.client("viewer") as client:
        assert (await client.get(f"/v1/conversations/{merged}")).json()["merged_into"] == str(
            world.ids["conversation"]
        )


async def test_changes_bump_the_version_tell_the_log_and_keep_the_history(world) -> None:
    path = f"/v1/conversations/{world.ids['conversation']}"
    async with world.client("agent") as client:
        before = (await client.get(path)).json()
        change = {
            "status": "closed",
            "assigned_to": str(world.people["admin"]),
            "category": "hardware",
            "priority": "urgent",
        }
        after = (await client.patch(path, json={**change, "version": before["version"]})).json()
        assert {k: after[k] for k in ("status", "category", "priority")} == {
            k: change[k] for k in ("status", "category", "priority")
        }
        assert after["assigned_to"]["name"] == "The admin"
        assert after["version"] > before["version"]
        stale = await client.patch(path, json={"status": "open", "version": before["version"]})
        assert (stale.status_code, stale.json()["current_version"]) == (409, after["version"])
        same = (await client.patch(path, json=change)).json()
        assert same["version"] == after["version"], "what stands already changes nothing"
        freed = (await client.patch(path, json={"assigned_to": None, "category": None})).json()
        assert (freed["assigned_to"], freed["category"]) == (None, None)
        for nobody in (uuid.uuid4(), world.people["viewer"]):
            assert (await client.patch(path, json={"assigned_to": str(nobody)})).status_code == 422
    events = await world.rows(
        "select type, actor, payload from events where type = 'conversation.updated' order by id"
    )
    assert [e["payload"]["changed"] for e in events] == [
        ["assigned_to", "team_id"],
        ["category", "priority", "status"],
        ["assigned_to", "team_id"],
        ["category"],
    ]
    assert events[0]["actor"] == f"user:{world.people['agent']}"
    history = await world.rows(
        "select agent_id, reason, unassigned_at is not null as over from conversation_assignments order by id"
    )
    assert [(h["agent_id"], h["reason"], h["over"]) for h in history] == [
        (world.people["admin"], "Assigned by hand.", True),
        (None, "Put back into the queue.", False),
    ]
    assert (await world.rows("select closed_at is not null as c from conversations"))[0]["c"]


async def test_reading_marks_and_tells_once(world) -> None:
    path = f"/v1/conversations/{world.ids['conversation']}/read"
    async with world.client("agent") as client:
        first = (await client.post(path)).json()
        second = (await client.post(path)).json()
    assert (first["unread_count"], second["version"]) == (0, first["version"])
    assert await world.rows("select 1 from messages where id = :m and is_read", m=world.ids["message"])
    assert len(await world.rows("select 1 from events")) == 1


async def test_reading_is_told_to_the_server_where_the_inbox_says_so(world) -> None:
    """Only mails that lie unread at the server; twice is one intent and one poke; Temporal away changes nothing."""
    path = f"/v1/conversations/{world.ids['conversation']}/read"
    await world.rows("update folders set uidvalidity = 1, synced = true")
    async with world.client("agent") as agent, world.client("admin") as admin:
        assert (await agent.post(path)).status_code == 200
        assert (await world.rows("select 1 from intents"), world.gateway.calls) == ([], [])
        inbox = f"/v1/inboxes/{world.ids['inbox']}"
        assert (await admin.patch(inbox, json={"write_back": ["read"]})).json()["write_back"] == ["read"]
        world.gateway.calls.clear()
        for _ in range(2):
            assert (await agent.post(path)).status_code == 200
        assert world.gateway.calls == [("signal", str(world.ids["inbox"]), "poke")]
        rows = await world.rows("select message_id, kind, state, asked_by from intents")
        assert rows == [
            {"message_id": world.ids["message"], "kind": "read", "state": "open", "asked_by": f"user:{world.people['agent']}"}
        ]
        assert (await admin.patch(inbox, json={"write_back": []})).json()["write_back"] == []
        assert await world.rows("select state from intents") == [{"state": "withdrawn"}]
        await admin.patch(inbox, json={"write_back": ["read"]})
        world.gateway.away = True
        assert (await agent.post(path)).status_code == 200
        assert await world.rows("select state from intents") == [{"state": "open"}]
        world.gateway.away = False
        await admin.patch(inbox, json={"write_back": []})
        await world.rows("update ledger set flags = array['\\Seen'] where message_id = :m", m=world.ids["message"])
        await admin.patch(inbox, json={"write_back": ["read"]})
        await agent.post(path)
    assert await world.rows("select state from intents") == [{"state": "withdrawn"}]


async def test_a_status_and_tags_are_told_to_the_mailbox_where_the_inbox_says_so(world) -> None:
    """In the transaction of the change, with one poke; the choice taken back before anything was begun leaves nothing to do."""
    path, inbox = f"/v1/conversations/{world.ids['conversation']}", f"/v1/inboxes/{world.ids['inbox']}"
    await world.rows("update folders set uidvalidity = 1, synced = true, role = 'inbox'")
    async with world.client("agent") as agent, world.client("admin") as admin:
        assert (await agent.patch(path, json={"status": "trash", "tags": ["late"]})).json()["status"] == "trash"
        assert (await world.rows("select 1 from intents"), world.gateway.calls) == ([], [])
        await agent.patch(path, json={"status": "open"})
        await admin.patch(inbox, json={"write_back": ["trash", "labels"]})
        world.gateway.calls.clear()
        for _ in range(2):
            changed = (await agent.patch(path, json={"status": "trash", "tags": [" billing ", "late"]})).json()
        assert [tag["name"] for tag in changed["tags"]] == ["billing", "late"]
        assert world.gateway.calls == [("signal", str(world.ids["inbox"]), "poke")]
        rows = await world.rows("select kind, detail, wanted, expected, state from intents order by kind")
        assert [tuple(row.values()) for row in rows] == [("label", "billing", "on", "", "open"), ("place", "", "trash", "inbox", "open")]
        await agent.patch(path, json={"status": "open"})
        await admin.patch(inbox, json={"write_back": []})
        assert {row["state"] for row in await world.rows("select state from intents")} == {"withdrawn"}


async def test_tags_are_exactly_those_given(world) -> None:
    path = f"/v1/conversations/{world.ids['conversation']}"
    async with world.client("agent") as agent, world.client("viewer") as viewer:
        first = (await agent.patch(path, json={"tags": ["a", "b", "a"]})).json()
        again = (await agent.patch(path, json={"tags": ["b", "a"]})).json()
        assert ([tag["name"] for tag in first["tags"]], again["version"]) == (["a", "b"], first["version"])
        assert (await agent.patch(path, json={"status": "pending"})).json()["tags"] == first["tags"]
        assert (await agent.patch(path, json={"tags": ["b"]})).json()["tags"] == first["tags"][1:]
        assert (await agent.patch(path, json={"tags": []})).json()["tags"] == []
        for wrong in ("", " ", "a,b", "a\nb", "x" * 51):
            refused = await agent.patch(path, json={"tags": [wrong]})
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "tags[0]")
        stale = await agent.patch(path, json={"tags": ["c"], "version": 1})
        assert stale.status_code == 409
        assert (await viewer.patch(path, json={"tags": ["c"]})).status_code == 403
    assert [row["name"] for row in await world.rows("select name from tags order by name")] == ["a", "b"]


async def test_messages_come_oldest_first_with_everything(world) -> None:
    await world.rows(
        "insert into message_references (tenant_id, message_id, position, referenced_id) values (:tenant, :m, 0, '<a@example.com>')",
        m=world.ids["message"],
    )
    path = f"/v1/conversations/{world.ids['conversation']}/messages"
    async with world.client("viewer") as client:
        got: list[dict] = []
        after = None
        while True:
            page = (await client.get(path, params={"limit": 2} | ({"after": after} if after else {}))).json()
            got += page["items"]
            after = page["next"]
            if after is None:
                break
    assert len(got) == 5
    first = got[0]
    assert first["id"] == str(world.ids["message"])
    assert first["references"] == ["<a@example.com>"]
    assert [a["filename"] for a in first["attachments"]] == ["flame.png", "a.svg"]
    assert first["send"] is None
    sends = {m["send"]["status"]: m["send"]["can"] for m in got[1:]}
    assert sends == {"queued": ["cancel"], "failed": ["retry"], "unknown": ["resolve"], "sent": []}
    assert got[1]["author"] == {"id": str(world.people["agent"]), "name": "The agent"}
