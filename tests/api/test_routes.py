"""Every route of the table: who may call it, that a stranger finds nothing there, that unknown fields are refused.

How a route is called well is in `route_cases.py`: a new route without a row there fails, and so does a row without a route.
"""

import dataclasses
import uuid
from typing import Any

import pytest

from api.auth import Access
from api.endpoint import Endpoint
from api.routes import ENDPOINTS
from api.schemas.base import Classification, ConversationStatus, LedgerState
from api.schemas.suppressions import SuppressionReason
from models import enums
from tests.api.route_cases import CASES, at, case_of, named
from tests.api.route_rows import fill
from tests.api.world import World

LEAST = {
    Access.VIEWER: ("viewer", "key:read"),
    Access.AGENT: ("agent", "key:write"),
    Access.ADMIN: ("admin", "key:admin"),
}
# Everybody who may, beside those of LEAST: rights only grow.
ABOVE = {
    Access.VIEWER: ("agent", "admin", "owner", "key:write", "key:admin"),
    Access.AGENT: ("admin", "owner", "key:admin"),
    Access.ADMIN: ("owner",),
}
BELOW = {
    Access.VIEWER: (),
    Access.AGENT: ("viewer", "key:read"),
    Access.ADMIN: ("viewer", "agent", "key:read", "key:write"),
}


CLOSED = [pytest.param(e, id=named(e)) for e in ENDPOINTS if e.access is not Access.PUBLIC]


async def call(
    world: World, endpoint: Endpoint, who: str | None, *, owner: World | None = None, **extra: Any
) -> Any:
    """Call it as `who` of `world`, on the rows of `owner`."""
    case, rows = case_of(endpoint), owner or world
    path = endpoint.path
    for name, row in case.ids:
        path = path.replace("{" + name + "}", str(rows.ids[row]))
    async with world.client(who, **case.headers) as client:
        body = {**(case.body(rows) if case.body else {}), **extra.get("body", {})} or None
        return await client.request(
            endpoint.method,
            path,
            json=body if case.content is None else None,
            content=case.content,
            params=extra.get("query"),
        )


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert set(CASES) == {(e.method, e.path) for e in ENDPOINTS}
    assert len({named(e) for e in ENDPOINTS}) == len(ENDPOINTS)


@pytest.mark.parametrize("endpoint", CLOSED)
async def test_nobody_gets_in(pair, endpoint) -> None:
    world, _ = pair
    assert (await call(world, endpoint, None)).status_code == 401


@pytest.mark.parametrize("endpoint", [p for p in CLOSED if p.id.startswith("GET ")])
async def test_each_role_may_read_what_it_may_and_no_more(pair, endpoint) -> None:
    await _by_each_role(pair[0], endpoint)


@pytest.mark.parametrize("endpoint", [p for p in CLOSED if not p.id.startswith("GET ")])
async def test_each_role_may_change_what_it_may_and_no_more(world, endpoint) -> None:
    await fill(world)
    await _by_each_role(world, endpoint)


async def _by_each_role(world: World, endpoint: Endpoint) -> None:
    for who in BELOW[endpoint.access]:
        assert (await call(world, endpoint, who)).status_code == 403, who
    if case_of(endpoint).skip_call:
        return
    who, key = LEAST[endpoint.access]
    if case_of(endpoint).ids == at("upload_id", "upload"):
        who, key = "agent", "agent"  # an upload belongs to whoever announced it
    if case_of(endpoint).own:
        key = who
    answer = await call(world, endpoint, who)
    assert answer.status_code == case_of(endpoint).status, answer.text
    for more in (key, *(() if case_of(endpoint).own else ABOVE[endpoint.access])):
        assert (await call(world, endpoint, more)).status_code not in (401, 403), more


@pytest.mark.parametrize("endpoint", [p for p in CLOSED if "{" in p.id])
async def test_rows_of_others_are_as_unknown_as_no_rows(pair, endpoint) -> None:
    world, other = pair
    who = "admin" if endpoint.access is Access.ADMIN else "agent"
    foreign = await call(other, endpoint, who, owner=world)
    assert foreign.status_code == 404, foreign.text
    nowhere = dataclasses.replace(world, ids=world.ids | {row: uuid.uuid4() for _, row in case_of(endpoint).ids})
    unknown = await call(other, endpoint, who, owner=nowhere)
    assert (unknown.status_code, unknown.json()) == (404, foreign.json())
    assert (
        await world.rows("select 1 from conversations where status <> 'open' or priority <> 'normal'") == []
    )


@pytest.mark.parametrize("endpoint", [pytest.param(e, id=named(e)) for e in ENDPOINTS if e.body is not None])
async def test_unknown_fields_are_refused(pair, endpoint) -> None:
    world, _ = pair
    who = {Access.PUBLIC: None, Access.VIEWER: "viewer", Access.AGENT: "agent", Access.ADMIN: "owner"}[
        endpoint.access
    ]
    answer = await call(world, endpoint, who, body={"tenant_id": "x"})
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == ["tenant_id"]


@pytest.mark.parametrize("endpoint", [pytest.param(e, id=named(e)) for e in ENDPOINTS])
async def test_unknown_parameters_are_refused(pair, endpoint) -> None:
    world, _ = pair
    answer = await call(world, endpoint, "owner", query={"nonsense": "1"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "nonsense", "message": "is not a field of this call; remove it"}
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/conversations/not-a-uuid",
        "/v1/nothing",
        "/v1/messages/1/frame",
        "/web/..%2fsettings.py",
        "/web/js/..%2f..%2fsettings.py",
        "/web/.gitignore",
    ],
)
async def test_addresses_that_lead_nowhere(world, path) -> None:
    async with world.client("agent") as client:
        answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_method_that_is_not_taken(world) -> None:
    async with world.client("agent") as client:
        answer = await client.put("/v1/conversations", json={})
    assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed")


def test_words_of_the_schemas_are_those_of_the_tables() -> None:
    pairs = (
        (ConversationStatus, enums.ConversationStatus),
        (Classification, enums.Classification),
        (LedgerState, enums.LedgerState),
        (SuppressionReason, enums.SuppressionReason),
    )
    for literal, enum in pairs:
        assert set(literal.__args__) == {e.value for e in enum}
