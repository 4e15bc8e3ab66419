"""People, teams, members, policies and the page of who changed what: what administrators keep, and what each may for themselves."""

import uuid

import pytest

from tests.api.stand_ins import ORIGIN
from tests.api.world import PASSWORD, World

NEW_PASSWORD = "a quite different horse"


async def sign_in(world: World, email: str, password: str) -> int:
    async with world.client(None, Origin=ORIGIN, **{"X-Mailroom": "1"}) as nobody:
        return (await nobody.post("/v1/session", json={"email": email, "password": password})).status_code


async def accept(world: World, url: str, password: str = NEW_PASSWORD) -> int:
    async with world.client(None, Origin=ORIGIN) as nobody:
        sent = {"token": url.partition("#")[2], "password": password}
        return (await nobody.post("/v1/invitations", json=sent)).status_code


async def test_an_invited_person_sets_a_password_once_and_nobody_else_knows_it(world) -> None:
    email = f"{uuid.uuid4().hex}@example.org"
    async with world.client("admin") as admin:
        made = (await admin.post("/v1/users", json={"email": email, "name": "New", "role": "agent", "skills": ["Billing "], "capacity": 3})).json()
        assert made["invited"]
        assert (made["skills"], made["capacity"], made["status"]) == (["billing"], 3, "offline")
        first = made["invitation"]["url"]
        assert first.startswith(f"{ORIGIN}/join#")
        assert await sign_in(world, email, NEW_PASSWORD) == 401
        second = (await admin.post(f"/v1/users/{made['id']}/invitation")).json()["url"]
    assert await accept(world, first) == 409, "a new link ends the older"
    assert await accept(world, second) == 204
    assert await accept(world, second) == 409, "it works once"
    assert await sign_in(world, email, NEW_PASSWORD) == 200
    stored = await world.rows("select 1 from invitations")
    assert stored == []


async def test_an_old_link_is_over(world) -> None:
    async with world.client("admin") as admin:
        url = (await admin.post(f"/v1/users/{world.people['agent']}/invitation")).json()["url"]
    await world.rows("update invitations set expires_at = now() - interval '1 second'")
    assert await accept(world, url) == 409
    assert await sign_in(world, world.emails["agent"], PASSWORD) == 200


async def test_a_password_by_link_ends_every_session_before_it(world) -> None:
    async with world.client("admin") as admin:
        url = (await admin.post(f"/v1/users/{world.people['agent']}/invitation")).json()["url"]
    assert await accept(world, url) == 204
    async with world.client("agent") as agent:
        assert (await agent.get("/v1/session")).status_code == 401


async def test_only_owners_touch_owners_and_the_last_one_stays(world) -> None:
    owner_path = f"/v1/users/{world.people['owner']}"
    async with world.client("admin") as admin:
        assert (await admin.patch(owner_path, json={"name": "Nobody"})).status_code == 403
        assert (await admin.delete(owner_path)).status_code == 403
        assert (await admin.post(f"{owner_path}/invitation")).status_code == 403
        promoted = await admin.patch(f"/v1/users/{world.people['admin']}", json={"role": "owner"})
        assert promoted.status_code == 403
    async with world.client("owner") as owner:
        for refused in (await owner.delete(owner_path), await owner.patch(owner_path, json={"role": "admin"})):
            assert (refused.status_code, refused.json()["type"]) == (409, "/problems/last-owner")
        assert (await owner.patch(f"/v1/users/{world.people['admin']}", json={"role": "owner"})).status_code == 200
        assert (await owner.patch(owner_path, json={"role": "agent"})).status_code == 200


async def test_who_is_removed_is_out_at_once_and_hands_back(world) -> None:
    async with world.client("admin") as admin:
        path = f"/v1/conversations/{world.ids['conversation']}"
        await admin.put(f"{path}/assignment", json={"user_id": str(world.people["agent"])})
        gone = await admin.delete(f"/v1/users/{world.people['agent']}")
        assert gone.json() == {"handed_back": 1, "api_keys": 0, "api_keys_revoked": 0}
        assert (await admin.get(path)).json()["assigned_to"] is None
        assert (await admin.delete(f"/v1/users/{world.people['agent']}")).status_code == 404
        assert str(world.people["agent"]) not in {u["id"] for u in (await admin.get("/v1/users")).json()["items"]}
        again = {"email": world.emails["agent"], "name": "Somebody else", "role": "viewer", "password": PASSWORD}
        assert (await admin.post("/v1/users", json=again)).status_code == 201, "the address can be used again"
    async with world.client("agent") as agent:
        assert (await agent.get("/v1/session")).status_code == 401


@pytest.mark.parametrize("keep", [False, True])
async def test_keys_that_a_removed_person_made_end_unless_they_are_kept(world, keep) -> None:
    async with world.client("owner") as owner, world.client("admin") as admin:
        theirs = (await admin.post("/v1/api-keys", json={"name": "Nightly export", "scopes": ["read"]})).json()
        others = (await owner.post("/v1/api-keys", json={"name": "Wallboard", "scopes": ["read"]})).json()
        gone = await owner.delete(f"/v1/users/{world.people['admin']}", params={"keep_api_keys": "true"} if keep else None)
        counts = {"api_keys": 1, "api_keys_revoked": 0} if keep else {"api_keys": 0, "api_keys_revoked": 1}
        assert gone.json() == {"handed_back": 0, **counts}
        audit = (await owner.get("/v1/audit", params={"by": str(world.people["owner"])})).json()["items"]
        removal = next(c["payload"] for c in audit if c["type"] == "user.removed")
        assert (removal["api_keys_kept"], removal["api_keys_revoked"]) == (int(keep), int(not keep))
        assert [c["payload"]["key_id"] for c in audit if c["type"] == "api_key.revoked"] == ([] if keep else [theirs["id"]])
    for made, code in ((theirs, 200 if keep else 401), (others, 200)):
        async with world.client(None, Authorization=f"Bearer {made['key']}") as program:
            assert (await program.get("/v1/users")).status_code == code


async def test_ones_own_name_and_password(world) -> None:
    async with world.client("viewer") as viewer:
        assert (await viewer.patch("/v1/me", json={"name": " Vera "})).json()["user"]["name"] == "Vera"
        for wrong in ({"password": NEW_PASSWORD}, {"password": NEW_PASSWORD, "current_password": "wrong"}):
            refused = await viewer.patch("/v1/me", json=wrong)
            assert [e["field"] for e in refused.json()["errors"]] == ["current_password"]
        changed = await viewer.patch("/v1/me", json={"password": NEW_PASSWORD, "current_password": PASSWORD})
        assert changed.status_code == 200
        assert (await viewer.get("/v1/session")).status_code == 200, "this session stays"
    assert await sign_in(world, world.emails["viewer"], PASSWORD) == 401
    assert await sign_in(world, world.emails["viewer"], NEW_PASSWORD) == 200


async def test_guesses_at_ones_own_password_are_counted_with_those_at_the_door(world) -> None:
    async with world.client("admin") as stolen:
        guess = {"password": NEW_PASSWORD, "current_password": "wrong"}
        codes = [(await stolen.patch("/v1/me", json=guess)).status_code for _ in range(11)]
    assert codes == [422] * 10 + [429]


async def test_status_is_ones_own_and_shown_to_all(world) -> None:
    async with world.client("agent") as agent:
        assert (await agent.put("/v1/me/status", json={"status": "away"})).json()["status"] == "away"
        assert (await agent.get("/v1/session")).json()["user"]["status"] == "away"
    async with world.client("viewer") as viewer:
        shown = {u["id"]: u["status"] for u in (await viewer.get("/v1/users")).json()["items"]}
    assert shown[str(world.people["agent"])] == "away"


async def test_a_team_lets_its_members_into_an_inbox_and_out_again(world) -> None:
    path = f"/v1/conversations/{world.ids['conversation']}"
    inbox = f"/v1/inboxes/{world.ids['inbox']}/members"
    async with world.client("admin") as admin, world.client("agent") as agent, world.client("viewer") as viewer:
        team = (await admin.post("/v1/teams", json={"name": "Printers"})).json()
        taken = await admin.post("/v1/teams", json={"name": "Printers"})
        assert [e["field"] for e in taken.json()["errors"]] == ["name"]
        await admin.put(f"/v1/teams/{team['id']}/members", json={"user_ids": [str(world.people["agent"])]})
        let_in = await admin.put(inbox, json={"user_ids": [], "team_ids": [team["id"]]})
        assert let_in.json() == {"user_ids": [], "team_ids": [team["id"]]}
        assert ((await agent.get(path)).status_code, (await viewer.get(path)).status_code) == (200, 404)
        assert (await agent.post(f"{path}/claim")).status_code == 200
        refused = await admin.delete(f"/v1/teams/{team['id']}")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/team-in-use")
        await admin.put(f"/v1/teams/{team['id']}/members", json={"user_ids": []})
        assert (await agent.get(path)).status_code == 404
        back = (await admin.get(path)).json()
        assert back["assigned_to"] is None, "who cannot open it does not keep it"
        history = (await admin.get(f"{path}/assignments")).json()["items"]
        assert [h["reason"] for h in history] == ["Handed back: no longer a member of this inbox.", "Claimed."]
        await admin.put(inbox, json={"user_ids": []})
        assert (await viewer.get(path)).status_code == 200, "without a list it is open to everybody"
        assert (await admin.delete(f"/v1/teams/{team['id']}")).status_code == 204


async def test_policies_change_by_what_is_given_and_say_so_once(world) -> None:
    path = f"/v1/inboxes/{world.ids['inbox']}/assignment-policy"
    async with world.client("admin") as admin:
        before = (await admin.get(path)).json()
        assert before == {
            "strategy": "manual", "include_away": False, "must_match": False, "senior_from": 1,
            "hand_back": "never", "hand_back_minutes": 30, "keep_answered": True,
        }  # fmt: skip
        for _ in range(2):
            after = (await admin.put(path, json={"strategy": "skills", "hand_back": "after"})).json()
        assert after == before | {"strategy": "skills", "hand_back": "after"}
        assert (await admin.put("/v1/presence-policy", json={"offline_after_minutes": 5})).json() == {"offline_after_minutes": 5}
        assert (await admin.get("/v1/presence-policy")).json() == {"offline_after_minutes": 5}
    assert len(await world.rows("select 1 from events where type = 'assignment_policy.updated'")) == 1


async def test_who_changed_what_is_a_page_for_administrators(world) -> None:
    async with world.client("admin") as admin:
        await admin.patch(f"/v1/users/{world.people['agent']}", json={"capacity": 7})
        await admin.put("/v1/me/status", json={"status": "online"})
        await admin.post("/v1/teams", json={"name": "Printers"})
        await admin.put(f"/v1/conversations/{world.ids['conversation']}/assignment", json={"user_id": str(world.people["agent"])})
        first = (await admin.get("/v1/audit", params={"limit": 1})).json()
        second = (await admin.get("/v1/audit", params={"limit": 1, "after": first["next"]})).json()
        only = (await admin.get("/v1/audit", params={"kind": "user", "by": str(world.people["admin"])})).json()
    told = [(c["type"], c["actor_name"], c["about"]) for c in (*first["items"], *second["items"])]
    assert told == [("team.created", "The admin", "Printers"), ("user.updated", "The admin", "The agent")]
    assert second["items"][0]["payload"] == {"user_id": str(world.people["agent"]), "changed": ["capacity"], "capacity": 7}
    assert [c["type"] for c in only["items"]] == ["user.updated"]


@pytest.mark.parametrize("who", ["agent", "admin"])
async def test_the_queue_is_taken_in_its_order_up_to_ones_capacity(world, who) -> None:
    urgent = await world.conversation(50, priority="urgent")
    await world.rows("update users set capacity = 1 where id = :u", u=world.people[who])
    async with world.client(who) as one:
        assert [c["id"] for c in (await one.get("/v1/queue")).json()["items"]] == [str(urgent), str(world.ids["conversation"])]
        assert (await one.post("/v1/queue/next")).json()["conversation"]["id"] == str(urgent)
        full = await one.post("/v1/queue/next")
        assert (full.status_code, full.json()["type"], full.json()["capacity"]) == (409, "/problems/at-capacity", 1)
        await world.rows("update users set capacity = 5")
        assert (await one.post("/v1/queue/next")).json()["conversation"]["id"] == str(world.ids["conversation"])
        assert (await one.post("/v1/queue/next")).json() == {"conversation": None}


async def test_a_colleague_who_was_first_is_named(world) -> None:
    path = f"/v1/conversations/{world.ids['conversation']}/claim"
    async with world.client("admin") as first, world.client("agent") as second, world.client("key:write") as program:
        assert (await first.post(path)).json()["assigned_to"]["name"] == "The admin"
        late = await second.post(path)
        assert (late.status_code, late.json()["type"], late.json()["name"]) == (409, "/problems/already-taken", "The admin")
        assert (await program.post(path)).status_code == 422


async def test_what_an_assignment_needs_is_said_by_its_field(world) -> None:
    path = f"/v1/conversations/{world.ids['conversation']}/assignment"
    async with world.client("agent") as agent:
        for sent, field in (
            ({"reason": "Because."}, "user_id"),
            ({"user_id": str(uuid.uuid4())}, "user_id"),
            ({"user_id": str(world.people["viewer"])}, "user_id"),
            ({"team_id": str(uuid.uuid4())}, "team_id"),
        ):
            refused = await agent.put(path, json=sent)
            assert (refused.status_code, [e["field"] for e in refused.json()["errors"]]) == (422, [field])
