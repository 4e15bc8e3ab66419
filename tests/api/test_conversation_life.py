"""Sleeping conversations, notes, followers, drafts, presence and tags, as people and programs use them."""

import datetime as dt
import uuid
from typing import Any

import pytest

from tests.api.world import World


def conversation(world: World, rest: str = "") -> str:
    return f"/v1/conversations/{world.ids['conversation']}{rest}"


def ahead(**span: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**span)).isoformat()


async def events(world: World, kind: str) -> list[dict[str, Any]]:
    rows = await world.rows("select payload, actor from events where type = :kind order by id", kind=kind)
    return [{**row["payload"], "actor": row["actor"]} for row in rows]


async def close_inbox(world: World, *members: str) -> None:
    """From now on only these and the administrators see it."""
    for who in members:
        await world.rows(
            "insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)",
            i=world.ids["inbox"],
            u=world.people[who],
        )


# -- snooze ------------------------------------------------------------------------------------------------------------


async def test_a_time_snoozes_and_another_status_wakes(world: World) -> None:
    until = ahead(days=2)
    async with world.client("agent") as client:
        asleep = (await client.patch(conversation(world), json={"snoozed_until": until})).json()
        assert asleep["status"] == "snoozed"
        assert dt.datetime.fromisoformat(asleep["snoozed_until"]) == dt.datetime.fromisoformat(until)
        (item,) = (await client.get("/v1/conversations", params={"status": "snoozed"})).json()["items"]
        assert item["snoozed_until"] == asleep["snoozed_until"]
        later = (await client.patch(conversation(world), json={"status": "snoozed", "snoozed_until": ahead(days=9)})).json()
        assert later["snoozed_until"] > asleep["snoozed_until"]
        awake = (await client.patch(conversation(world), json={"status": "open"})).json()
    assert (awake["status"], awake["snoozed_until"]) == ("open", None)
    ids = str(world.tenant_id), str(world.ids["inbox"]), str(world.ids["conversation"])
    assert world.gateway.calls == [("snooze", *ids), ("snooze", *ids), ("signal_snooze", ids[2])]
    assert [e["changed"] for e in await events(world, "conversation.updated")] == [
        ["snoozed_until", "status"],
        ["snoozed_until"],
        ["status"],
    ]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"status": "snoozed"}, "snoozed_until"),
        ({"snoozed_until": None}, "snoozed_until"),
        ({"snoozed_until": "2020-01-01T00:00:00Z"}, "snoozed_until"),
        ({"snoozed_until": "2120-01-01T00:00:00Z"}, "snoozed_until"),
        ({"snoozed_until": "2030-01-01T00:00:00"}, "snoozed_until"),
        ({"status": "closed", "snoozed_until": "2027-06-01T00:00:00Z"}, "snoozed_until"),
    ],
)
async def test_what_cannot_be_slept_on_says_why(world: World, asked: dict[str, Any], field: str) -> None:
    async with world.client("agent") as client:
        answer = await client.patch(conversation(world), json=asked)
        assert (await client.get(conversation(world))).json()["status"] == "open"
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == [field]
    assert world.gateway.calls == []


async def test_with_temporal_away_the_row_sleeps_all_the_same(world: World) -> None:
    world.gateway.away = True
    async with world.client("agent") as client:
        assert (await client.patch(conversation(world), json={"snoozed_until": ahead(hours=1)})).status_code == 200
    assert (await world.rows("select status from conversations"))[0]["status"] == "snoozed"


# -- notes -------------------------------------------------------------------------------------------------------------


async def test_a_note_is_written_changed_and_deleted_and_quotes_nothing_in_events(world: World) -> None:
    path, admin = conversation(world, "/notes"), str(world.people["admin"])
    async with world.client("agent") as client:
        before = (await client.get(conversation(world))).json()["version"]
        made = await client.post(path, json={"content": " Ask @The admin first. ", "mentions": [admin, admin]})
        note = made.json()
        assert (made.status_code, note["content"], note["author"]["name"]) == (201, "Ask @The admin first.", "The agent")
        assert [m["id"] for m in note["mentions"]] == [admin]
        assert (await client.get(conversation(world))).json()["version"] == note["version"] == before + 1
        for _ in range(2):
            changed = (await client.patch(f"/v1/notes/{note['id']}", json={"content": "Done."})).json()
        assert (changed["content"], changed["mentions"], changed["edited_at"] is not None) == ("Done.", [], True)
        assert [n["id"] for n in (await client.get(path)).json()["items"]] == [note["id"]]
        assert (await client.delete(f"/v1/notes/{note['id']}")).status_code == 204
        assert (await client.delete(f"/v1/notes/{note['id']}")).status_code == 404
        assert (await client.get(path)).json()["items"] == []
    assert await world.rows("select content, mentions from notes") == [{"content": "", "mentions": []}]
    (added,), (updated,), (gone,) = [await events(world, f"note.{what}") for what in ("added", "updated", "deleted")]
    assert (added["mentions"], updated["mentions"], added["note_id"]) == ([admin], [], note["id"])
    assert added["actor"] == f"user:{world.people['agent']}"
    assert [e["version"] for e in (added, updated, gone)] == [before + 1, before + 2, before + 3]
    assert "admin" not in str({k: v for k, v in added.items() if k != "mentions"})


async def test_only_who_may_see_the_inbox_is_mentioned(world: World) -> None:
    await close_inbox(world, "agent")
    path = conversation(world, "/notes")
    async with world.client("agent") as client:
        for person, word in ((world.people["viewer"], "may not see"), (uuid.uuid4(), "nobody of this team")):
            refused = await client.post(path, json={"content": "You?", "mentions": [str(world.people["owner"]), str(person)]})
            (error,) = refused.json()["errors"]
            assert (refused.status_code, error["field"]) == (422, "mentions[1]")
            assert word in error["message"]
    async with world.client("viewer") as outside:
        assert (await outside.get(path)).status_code == 404
    assert await world.rows("select 1 from notes") == await world.rows("select 1 from events") == []


async def test_a_note_is_its_authors_and_administrators_clear_up(world: World) -> None:
    async with world.client("agent") as agent, world.client("admin") as admin, world.client("key:write") as key:
        note = (await agent.post(conversation(world, "/notes"), json={"content": "Mine."})).json()["id"]
        of_key = (await key.post(conversation(world, "/notes"), json={"content": "Of a program."})).json()
        assert of_key["author"] is None
        for who in (admin, key):
            assert (await who.patch(f"/v1/notes/{note}", json={"content": "Yours."})).status_code == 403
        assert (await key.delete(f"/v1/notes/{note}")).status_code == 403
        assert (await agent.delete(f"/v1/notes/{of_key['id']}")).status_code == 403
        assert (await admin.delete(f"/v1/notes/{note}")).status_code == 204
        empty = await agent.post(conversation(world, "/notes"), json={"content": " \n "})
    assert (empty.status_code, empty.json()["errors"][0]["field"]) == (422, "content")


async def test_notes_come_in_pages_in_the_order_of_time(world: World) -> None:
    async with world.client("agent") as client:
        for number in range(5):
            await client.post(conversation(world, "/notes"), json={"content": str(number)})
        got: list[str] = []
        after = None
        while True:
            query = {"limit": 2} | ({"after": after} if after else {})
            page = (await client.get(conversation(world, "/notes"), params=query)).json()
            got += [n["content"] for n in page["items"]]
            after = page["next"]
            if after is None:
                break
    assert got == list("01234")


# -- followers ---------------------------------------------------------------------------------------------------------


async def test_who_is_mentioned_assigned_added_or_wishes_to_follows(world: World) -> None:
    people = {name: str(person) for name, person in world.people.items()}
    async with world.client("agent") as client:
        await client.post(conversation(world, "/notes"), json={"content": "Look.", "mentions": [people["owner"]]})
        await client.patch(conversation(world), json={"assigned_to": people["admin"]})
        await client.put(conversation(world, f"/followers/{people['viewer']}"))
        for _ in range(2):
            shown = (await client.put(conversation(world, "/followers/me"))).json()["items"]
        assert {f["id"]: f["reason"] for f in shown} == {
            people["owner"]: "mentioned",
            people["admin"]: "assigned",
            people["viewer"]: "added",
            people["agent"]: "self",
        }
        assert (await client.get(conversation(world))).json()["followers"] == shown
        for _ in range(2):
            left = (await client.delete(conversation(world, "/followers/me"))).json()["items"]
        assert people["agent"] not in [f["id"] for f in left]
        assert (await client.delete(conversation(world, f"/followers/{people['viewer']}"))).status_code == 403
        assert (await client.put(conversation(world, f"/followers/{uuid.uuid4()}"))).status_code == 404
    async with world.client("admin") as admin:
        assert len((await admin.delete(conversation(world, f"/followers/{people['owner']}"))).json()["items"]) == 2
    told = [(e["user_id"], e["following"]) for e in await events(world, "followers.changed")]
    assert told == [(people["viewer"], True), (people["agent"], True), (people["agent"], False), (people["owner"], False)]


async def test_who_may_not_see_the_inbox_cannot_be_made_to_follow(world: World) -> None:
    await close_inbox(world, "agent")
    async with world.client("agent") as client:
        refused = await client.put(conversation(world, f"/followers/{world.people['viewer']}"))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "user_id")


# -- drafts ------------------------------------------------------------------------------------------------------------


async def test_a_draft_is_its_authors_alone_and_the_last_window_that_has_looked_writes(world: World) -> None:
    path = conversation(world, "/draft")
    file = {"id": str(uuid.uuid4()), "filename": "a.txt", "size_bytes": 3}
    async with world.client("agent") as client, world.client("admin") as other:
        assert (await client.get(path)).json() == {"draft": None}
        body = {"html": "<div>Dear Carla</div>", "to": [{"address": "carla@customer"}], "attachments": [file]}
        first = (await client.put(path, json={**body, "updated_at": None})).json()
        assert (first["to"], first["cc"], first["attachments"]) == ([{"address": "carla@customer", "name": ""}], None, [file])
        assert (await client.get(path)).json() == {"draft": first}
        assert (await other.get(path)).json() == {"draft": None}
        second = (await client.put(path, json={**body, "html": "<div>More</div>", "updated_at": first["updated_at"]})).json()
        for seen in (first["updated_at"], None):
            refused = await client.put(path, json={"html": "<div>Old</div>", "updated_at": seen})
            assert (refused.status_code, refused.json()["type"]) == (409, "/problems/draft-changed")
            assert refused.json()["draft"] == second
        unasked = (await client.put(path, json={"html": "<div>Whatever stands</div>"})).json()
        assert (await client.get(path)).json() == {"draft": unasked}
        for _ in range(2):
            assert (await client.delete(path)).status_code == 204
        assert (await client.get(path)).json() == {"draft": None}
        gone = await client.put(path, json={"html": "<div>Late</div>", "updated_at": unasked["updated_at"]})
        assert (gone.status_code, gone.json()["draft"]) == (409, None)
    async with world.client("key:write") as key:
        assert (await key.get(path)).status_code == 422


async def test_the_send_takes_the_draft_away_and_a_late_save_brings_nothing_back(world: World) -> None:
    path = conversation(world, "/draft")
    async with world.client("agent") as client:
        kept = (await client.put(path, json={"html": "<div>We come.</div>", "updated_at": None})).json()
        refused = await client.post(conversation(world, "/messages"), json={"text": " ", "seen_version": 99})
        assert (refused.status_code, (await client.get(path)).json()["draft"]) == (422, kept)
        sent = await client.post(conversation(world, "/messages"), json={"text": "We come.", "seen_version": 99})
        assert (sent.status_code, (await client.get(path)).json()["draft"]) == (201, None)
        late = await client.put(path, json={"html": "<div>We come.</div>", "updated_at": kept["updated_at"]})
        assert (late.status_code, (await client.get(path)).json()["draft"]) == (409, None)


# -- the difference ----------------------------------------------------------------------------------------------------


async def test_a_reply_that_missed_what_colleagues_did_is_refused_with_what_is_new(world: World) -> None:
    async with world.client("agent") as agent, world.client("admin") as admin:
        seen = (await agent.get(conversation(world))).json()["version"]
        await admin.post(conversation(world, "/notes"), json={"content": "Do not answer,\nI call her."})
        await admin.patch(conversation(world), json={"assigned_to": str(world.people["admin"]), "priority": "high"})
        version = (await admin.patch(conversation(world), json={"status": "pending"})).json()["version"]
        message = await world.message(world.ids["conversation"], at_version=version + 1, body_visible="It still burns.")
        refused = await agent.post(conversation(world, "/messages"), json={"text": "We come.", "seen_version": seen})
        problem = refused.json()
        assert (refused.status_code, problem["type"]) == (409, "/problems/stale-view")
        assert [m["id"] for m in problem["newer_messages"]] == [str(message)]
        told = [(c["kind"], c["name"], c["snippet"]) for c in problem["changes"]]
        assert told == [
            ("note", "The admin", "Do not answer, I call her."),
            ("assignment", "The admin", "The admin"),
            ("status", "The admin", "pending"),
            ("message", "Carla", "It still burns."),
        ]
        assert [c["who"] and c["who"]["id"] for c in problem["changes"]] == [str(world.people["admin"])] * 3 + [None]
        again = {"text": "We come.", "seen_version": version + 1}
        assert (await agent.post(conversation(world, "/messages"), json=again)).status_code == 201


async def test_ones_own_doing_and_small_changes_keep_no_reply_back(world: World) -> None:
    async with world.client("agent") as agent, world.client("admin") as admin:
        seen = (await agent.get(conversation(world))).json()["version"]
        await agent.post(conversation(world, "/notes"), json={"content": "I am on it."})
        await agent.patch(conversation(world), json={"status": "pending", "assigned_to": str(world.people["agent"])})
        await admin.patch(conversation(world), json={"category": "hardware", "tags": ["fire"]})
        await admin.post(conversation(world, "/read"))
        sent = await agent.post(conversation(world, "/messages"), json={"text": "We come.", "seen_version": seen})
        assert sent.status_code == 201, sent.text
        stale = (await admin.patch(conversation(world), json={"status": "closed", "version": seen})).json()
    assert [c["kind"] for c in stale["changes"]] == ["note", "assignment", "status", "message"]


# -- presence and tags -------------------------------------------------------------------------------------------------


async def test_a_key_is_nowhere_and_a_wrong_state_is_named(world: World) -> None:
    async with world.client("key:admin") as key, world.client("viewer") as viewer:
        assert (await key.put(conversation(world, "/presence"), json={"state": "viewing"})).status_code == 422
        wrong = await viewer.put(conversation(world, "/presence"), json={"state": "asleep"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "state")


async def test_tags_are_made_named_coloured_and_removed_by_administrators(world: World) -> None:
    async with world.client("admin") as admin, world.client("agent") as agent:
        tag = (await admin.post("/v1/tags", json={"name": " billing ", "color": "#AA3300"})).json()
        assert (tag["name"], tag["color"]) == ("billing", "#aa3300")
        taken = await admin.post("/v1/tags", json={"name": "billing"})
        assert (taken.status_code, taken.json()["errors"][0]["field"]) == (422, "name")
        await agent.patch(conversation(world), json={"tags": ["billing", "late"]})
        assert [t["name"] for t in (await agent.get("/v1/tags")).json()["items"]] == ["billing", "late"]
        path = f"/v1/tags/{tag['id']}"
        assert (await admin.patch(path, json={"name": "late"})).status_code == 422
        for _ in range(2):
            assert (await admin.patch(path, json={"name": "invoices", "color": "#00aa33"})).status_code == 200
        shown = (await agent.get(conversation(world))).json()["tags"]
        assert shown == [{"name": "invoices", "color": "#00aa33"}, {"name": "late", "color": "#64748b"}]
        for wrong in ({"name": "a,b"}, {"color": "red"}):
            refused = await admin.patch(path, json=wrong)
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, next(iter(wrong)))
        assert (await admin.delete(path)).status_code == 204
        assert [t["name"] for t in (await agent.get(conversation(world))).json()["tags"]] == ["late"]
    assert [e["what"] for e in await events(world, "tags.changed")] == ["made", "changed", "removed"]
