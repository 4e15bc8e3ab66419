"""Signing in and out, who may send what from where, and how many tries there are."""

import asyncio

import pytest

from api.auth import Access
from api.rate_limits import Rate, RateLimits
from store.login_attempts import Bound, claim_attempt
from tests.api.stand_ins import ORIGIN, make_deps
from tests.api.world import PASSWORD, client_of, make_world


async def test_sign_in_sets_a_new_cookie_and_ends_the_old_session(world) -> None:
    async with world.client("agent") as browser:
        before = browser.cookies["mailroom"]
        answer = await browser.post(
            "/v1/session", json={"email": world.emails["agent"], "password": PASSWORD}
        )
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=lax", "Path=/"))
        assert answer.json()["user"]["role"] == "agent"
        assert answer.json()["limits"] == {"file_bytes": 26214400, "files": 10, "message_bytes": 26214400}
        assert (await browser.get("/v1/session")).status_code == 200
    async with world.client(None, Cookie=f"mailroom={before}") as old:
        assert (await old.get("/v1/session")).status_code == 401


async def test_over_tls_the_cookie_is_bound_to_the_host(house, module_database) -> None:
    deps = make_deps(house, module_database.url)
    secure = type(deps.config)(public_url="https://desk.example.org", session_secret=b"x" * 32)
    assert secure.cookie_name == "__Host-mailroom"
    assert secure.origin == "https://desk.example.org"


async def test_an_address_is_matched_without_case_and_a_wrong_password_says_no_more(world) -> None:
    async with world.client(None, Origin=ORIGIN, **{"X-Mailroom": "1"}) as nobody:
        upper = world.emails["viewer"].upper()
        assert (
            await nobody.post("/v1/session", json={"email": upper, "password": PASSWORD})
        ).status_code == 200
        wrong = await nobody.post("/v1/session", json={"email": upper, "password": "wrong"})
        unknown = await nobody.post("/v1/session", json={"email": "nobody@example.org", "password": "wrong"})
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.json() == unknown.json()


async def test_sign_out_ends_the_session_on_the_server(world) -> None:
    async with world.client("agent") as browser:
        token = browser.cookies["mailroom"]
        assert (await browser.delete("/v1/session")).status_code == 204
    async with world.client(None, Cookie=f"mailroom={token}") as again:
        assert (await again.get("/v1/session")).status_code == 401


async def test_the_eleventh_try_waits_and_a_right_password_forgives(world) -> None:
    async with world.client(None, Origin=ORIGIN, **{"X-Mailroom": "1"}) as nobody:
        body = {"email": world.emails["admin"], "password": "wrong"}
        for _ in range(5):
            assert (await nobody.post("/v1/session", json=body)).status_code == 401
        assert (await nobody.post("/v1/session", json={**body, "password": PASSWORD})).status_code == 200
        for _ in range(10):
            assert (await nobody.post("/v1/session", json=body)).status_code == 401
        refused = await nobody.post("/v1/session", json={**body, "password": PASSWORD})
    assert refused.status_code == 429
    assert 800 < int(refused.headers["retry-after"]) <= 901


async def test_guesses_sent_at_once_do_not_slip_past_the_count(house) -> None:
    bounds = [Bound(b"k" * 32, 3)]

    async def guess() -> bool:
        async with house.system_unit_of_work() as connection:
            return await claim_attempt(connection, bounds) == 0

    assert sum(await asyncio.gather(*(guess() for _ in range(8)))) == 3


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": ORIGIN, "X-Mailroom": "1"}, 200),
        ({"Origin": "https://evil.example.com", "X-Mailroom": "1"}, 403),
        ({"Origin": "null", "X-Mailroom": "1"}, 403),
        ({"X-Mailroom": "1"}, 403),
        ({"Origin": ORIGIN}, 403),
    ],
)
async def test_a_cookie_changes_something_only_from_our_own_page(world, headers, status) -> None:
    async with world.client(None, Cookie=f"mailroom={world.tokens['agent']}", **headers) as browser:
        answer = await browser.post(f"/v1/conversations/{world.ids['conversation']}/read")
    assert answer.status_code == status


async def test_a_foreign_page_cannot_sign_anybody_in(world) -> None:
    async with world.client(None, Origin="https://evil.example.com") as browser:
        answer = await browser.post(
            "/v1/session", json={"email": world.emails["agent"], "password": PASSWORD}
        )
    assert answer.status_code == 403


async def test_keys_need_no_origin_and_stop_when_revoked(world) -> None:
    async with world.client("owner") as owner:
        made = await owner.post("/v1/api-keys", json={"name": "Reports", "scopes": ["read"]})
        assert made.status_code == 201
        key = made.json()["key"]
        assert key.startswith(made.json()["prefix"])
        async with world.client(None, Authorization=f"Bearer {key}") as program:
            me = (await program.get("/v1/session")).json()
            assert me["user"] == {"id": None, "email": "", "name": "Reports", "role": "viewer", "status": None}
            assert (await program.get("/v1/conversations")).status_code == 200
            assert (await owner.delete(f"/v1/api-keys/{made.json()['id']}")).status_code == 204
            assert (await program.get("/v1/conversations")).status_code == 401
        assert "Reports" not in [k["name"] for k in (await owner.get("/v1/api-keys")).json()["items"]]


@pytest.mark.parametrize("key", ["", "mr_x", "mr_aaaaaaaaaaaa_" + "A" * 43, "Basic x"])
async def test_a_wrong_key_is_nobody_even_beside_a_good_cookie(world, key) -> None:
    async with world.client("agent", Authorization=f"Bearer {key}") as browser:
        assert (await browser.get("/v1/session")).status_code == 401


async def test_only_an_owner_makes_an_owner(world) -> None:
    new = {"email": "boss@example.org", "name": "Boss", "role": "owner", "password": PASSWORD}
    async with world.client("admin") as admin:
        assert (await admin.post("/v1/users", json=new)).status_code == 403
    async with world.client("owner") as owner:
        assert (await owner.post("/v1/users", json=new)).status_code == 201
        taken = await owner.post("/v1/users", json={**new, "email": "BOSS@example.org"})
        assert taken.status_code == 422
        assert taken.json()["errors"][0]["field"] == "email"


async def test_a_person_who_left_is_signed_out(world) -> None:
    async with world.client("viewer") as browser:
        await world.rows("update users set deleted_at = now() where id = :id", id=world.people["viewer"])
        assert (await browser.get("/v1/session")).status_code == 401


async def test_limits_of_calls_answer_when_to_come_back(house, module_database) -> None:
    deps = make_deps(
        house,
        module_database.url,
        limits=RateLimits(caller=Rate(60, 2), tenant=Rate(600, 100), search=Rate(60, 1)),
    )
    world = await make_world(deps, mail=False)
    async with client_of(deps, world, "agent") as browser:
        assert [(await browser.get("/v1/session")).status_code for _ in range(3)] == [200, 200, 429]
        assert (await browser.get("/v1/session")).headers["retry-after"] == "1"
    async with client_of(deps, world, "viewer") as browser:
        assert (await browser.get("/v1/conversations?search=a")).status_code == 200
        assert (await browser.get("/v1/conversations?search=b")).status_code == 429


def test_access_grows_by_role() -> None:
    assert Access.PUBLIC < Access.VIEWER < Access.AGENT < Access.ADMIN
