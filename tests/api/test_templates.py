"""Canned replies and signatures: who may see and change which, what is filled, and what never leaves."""

import uuid

import pytest


@pytest.fixture
def path(world) -> str:
    return f"/v1/conversations/{world.ids['conversation']}/messages"


async def test_everybody_keeps_their_own_and_administrators_those_of_all(world) -> None:
    async with world.client("agent") as agent, world.client("admin") as admin, world.client("key:admin") as key:
        mine = await agent.post("/v1/templates", json={"name": "Mine", "text": "Hi", "personal": True, "shortcut": "/Hi"})
        assert (mine.status_code, mine.json()["shortcut"], mine.json()["can_change"]) == (201, "hi", True)
        assert (await agent.post("/v1/templates", json={"name": "Ours", "text": "Hi"})).status_code == 403
        ours = (await admin.post("/v1/templates", json={"name": "Ours", "html": "<p>Hi <b>you</b></p>", "shortcut": "hi"})).json()
        assert ours["text"] == "Hi you"
        taken = await admin.post("/v1/templates", json={"name": "Other", "text": "x", "shortcut": "hi"})
        assert (taken.status_code, taken.json()["type"]) == (409, "/problems/shortcut-taken")
        assert (await admin.get(f"/v1/templates/{mine.json()['id']}")).status_code == 404, "a personal one is nobody else's"
        assert (await agent.patch(f"/v1/templates/{ours['id']}", json={"name": "Theirs"})).status_code == 403
        assert (await agent.delete(f"/v1/templates/{ours['id']}")).status_code == 403
        assert [(t["name"], t["can_change"]) for t in (await agent.get("/v1/templates")).json()["items"]] == [("Mine", True), ("Ours", False)]
        assert (await key.post("/v1/templates", json={"name": "K", "text": "x", "personal": True})).status_code == 422
        changed = (await admin.patch(f"/v1/templates/{ours['id']}", json={"shortcut": "", "text": "a < b\nc"})).json()
        assert (changed["shortcut"], changed["html"]) == (None, "<div>a &lt; b</div><div>c</div>")


async def test_an_inbox_template_is_seen_by_those_who_see_the_inbox(world) -> None:
    hidden = await world.insert("inboxes", name="Board", email_address="board@example.org")
    await world.rows("insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)", i=hidden, u=world.people["admin"])
    async with world.client("admin") as admin, world.client("agent") as agent:
        made = (await admin.post("/v1/templates", json={"name": "Board", "text": "x", "inbox_id": str(hidden)})).json()
        assert made["inbox"] == {"id": str(hidden), "name": "Board"}
        assert (await agent.get(f"/v1/templates/{made['id']}")).status_code == 404
        assert (await agent.get("/v1/templates")).json()["items"] == []
        assert (await admin.post("/v1/templates", json={"name": "x", "text": "x", "inbox_id": str(uuid.uuid4())})).status_code == 422


async def test_a_team_template_is_seen_by_its_members(world) -> None:
    team = await world.insert("teams", name=f"Billing {uuid.uuid4().hex[:6]}")
    async with world.client("admin") as admin, world.client("agent") as agent:
        made = (await admin.post("/v1/templates", json={"name": "Ours", "text": "x", "team_id": str(team), "shortcut": "x"})).json()
        assert made["team"]["id"] == str(team)
        assert (await admin.post("/v1/templates", json={"name": "All", "text": "x", "shortcut": "x"})).status_code == 201, "another place"
        assert (await agent.get(f"/v1/templates/{made['id']}")).status_code == 404
        await world.rows("insert into team_members (tenant_id, team_id, user_id) values (:tenant, :t, :u)", t=team, u=world.people["agent"])
        assert (await agent.get(f"/v1/templates/{made['id']}")).status_code == 200
        foreign = {"name": "x", "text": "x", "team_id": str(uuid.uuid4())}
        assert (await admin.post("/v1/templates", json=foreign)).json()["errors"][0]["field"] == "team_id"


@pytest.mark.parametrize("text", ["{{customer.nmae}}", "Hi {{ first_name }}"])
async def test_a_placeholder_that_nothing_can_fill_is_refused_where_it_is_written(world, text) -> None:
    async with world.client("agent") as agent:
        answer = await agent.post("/v1/templates", json={"name": "x", "text": text, "personal": True})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "text"


async def test_filling_escapes_values_takes_defaults_and_says_what_is_missing(world) -> None:
    contact = await world.insert("contacts", name="<b>Doe</b>, Jane & Co", company="")
    await world.rows("update conversations set contact_id = :k where id = :c", k=contact, c=world.ids["conversation"])
    async with world.client("admin") as admin, world.client("agent") as agent:
        html = '<p>Dear {{customer.name}}, {{customer.company|your company}} {{customer.company}}</p><script>x</script><a href="{{customer.name}}">x</a>'
        made = (await admin.post("/v1/templates", json={"name": "x", "subject": "#{{conversation.number}}", "html": html})).json()
        assert "script" not in made["html"]
        filled = (await agent.post(f"/v1/templates/{made['id']}/fill", json={"conversation_id": str(world.ids["conversation"])})).json()
    assert filled["subject"] == "#42"
    assert "Dear &lt;b&gt;Doe&lt;/b&gt;, Jane &amp; Co, your company {{customer.company}}" in filled["html"]
    assert "<b>" not in filled["html"]
    assert filled["missing"] == ["customer.company"]
    assert (await world.rows("select uses from templates where tenant_id = :tenant"))[0]["uses"] == 1


async def test_files_of_a_template_are_lent_to_each_reply(world, path) -> None:
    async with world.client("agent") as agent:
        slot = (await agent.post("/v1/uploads", json={"filename": "terms.txt", "content_type": "text/plain", "size_bytes": 3})).json()
        wrong = await agent.post("/v1/templates", json={"name": "x", "text": "x", "personal": True, "attachments": [slot["id"]]})
        assert wrong.json()["errors"][0]["field"] == "attachments[0]"
        await agent.put(slot["put_url"], content=b"abc", headers=slot["headers"])
        await agent.post(f"/v1/uploads/{slot['id']}/complete")
        asked = {"name": "Terms", "text": "See the file.", "personal": True, "attachments": [slot["id"]]}
        made = (await agent.post("/v1/templates", json=asked)).json()
        await world.rows("delete from uploads where id = :u", u=uuid.UUID(slot["id"]))  # as after a day
        for _ in range(2):
            filled = (await agent.post(f"/v1/templates/{made['id']}/fill", json={"conversation_id": str(world.ids["conversation"])})).json()
            (file,) = filled["attachments"]
            sent = await agent.post(path, json={"text": filled["text"], "seen_version": 99, "attachments": [file["id"]]})
            assert sent.status_code == 201, sent.text
            assert [a["filename"] for a in sent.json()["attachments"]] == ["terms.txt"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "Hi {{customer.first_name}}"}, "text"),
        ({"html": "<p>{{ticket_number}}</p>"}, "html"),
        ({"html": "<p>{{customer.<b>name</b>}}</p>"}, "html"),
        ({"text": "Hi", "subject": "{{conversation.number|}}"}, "subject"),
    ],
)
async def test_a_reply_with_an_unfilled_placeholder_is_refused(world, path, body, field) -> None:
    async with world.client("agent") as agent:
        answer = await agent.post(path, json={**body, "seen_version": 99})
        assert answer.status_code == 422
        assert [e["field"] for e in answer.json()["errors"]] == [field]
        assert "{{" in answer.json()["errors"][0]["message"]
        other = await agent.post(path, json={"text": "Write {{ user.id }} in your own template.", "seen_version": 99})
        assert other.status_code == 201, "double braces of others are theirs"


@pytest.mark.parametrize(("choice", "expected"), [("agent", "Ada"), ("inbox", "Example Desk"), ("both", "Ada\nExample Desk"), ("none", "")])
async def test_the_inbox_chooses_whose_signature_stands_under_a_reply(world, path, choice, expected) -> None:
    async with world.client("admin") as admin, world.client("agent") as agent:
        inbox = f"/v1/inboxes/{world.ids['inbox']}"
        set_ = await admin.patch(inbox, json={"signature": choice, "signature_html": "Example <b>Desk</b><script>x</script>"})
        assert (set_.json()["signature"], set_.json()["signature_html"]) == (choice, "Example <b>Desk</b>")
        assert (await agent.patch("/v1/me", json={"signature_html": '<i onclick="x()">Ada</i>'})).status_code == 200
        assert (await agent.get("/v1/me/signature")).json() == {"html": "<i>Ada</i>", "text": "Ada", "nodes": [["em", None, ["Ada"]]]}
        shown = (await agent.get(f"/v1/conversations/{world.ids['conversation']}/signature")).json()
        assert shown["text"] == expected
        sent = (await agent.post(path, json={"text": "Yes.", "html": "<p>Yes.</p>", "seen_version": 99})).json()
        row = (await world.rows("select body_text, body_html from messages where id = :m", m=uuid.UUID(sent["id"])))[0]
        assert row["body_text"] == (f"Yes.\n\n-- \n{expected}\n" if expected else "Yes.")
        assert row["body_html"].count("-- ") == (1 if expected else 0)
        # What was taken back and sent again, and what a program signed itself, is not signed twice.
        again = (await agent.post(path, json={"text": row["body_text"], "html": row["body_html"], "seen_version": 99})).json()
        twice = (await world.rows("select body_text, body_html from messages where id = :m", m=uuid.UUID(again["id"])))[0]
        assert twice == row
        bare = (await agent.post(path, json={"text": "Yes.", "signature": False, "seen_version": 99})).json()
        assert bare["body_text"] == "Yes."
        if expected:
            quoting = (await agent.post(path, json={"text": f"New.\n\n> Yes.\n> -- \n> {expected}", "seen_version": 99})).json()
            assert quoting["body_text"].endswith(f"-- \n{expected}\n"), "a quoted signature is another answer's"
        empty = await agent.post(path, json={"text": " ", "seen_version": 99})
        assert empty.status_code == 422, "a signature alone is no reply"
