"""What is refused before a handler sees it: too large, too deep, not JSON, half characters, compressed, too slow."""

import asyncio
import json

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError
from starlette.requests import Request

from api.auth import Access
from api.dispatch import Dispatcher
from api.endpoint import Endpoint
from api.gateway import TemporalAway
from tests.api.stand_ins import make_deps
from tests.api.world import client_of, make_world

JSON = {"Content-Type": "application/json"}


async def patch(world, content: bytes, **headers: str):
    async with world.client("agent") as client:
        return await client.patch(
            f"/v1/conversations/{world.ids['conversation']}", content=content, headers={**JSON, **headers}
        )


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"priority": "high"}', 200),
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"category": NaN}', 400),
        (b"[]", 422),
        (b'"x"', 422),
        (b'{"category": ' + b"[" * 100 + b"]" * 100 + b"}", 422),
        (b"[" * 100_000, 422),
        (b'{"category": "a\\u0000b"}', 422),
        (b'{"category": "\\ud800"}', 422),
        (b'{"a\\u0000": 1}', 422),
        (b'{"priority": 1}', 422),
        (b'{"status": null}', 422),
        (b'{"subject": "' + b"a" * 1_100_000 + b'"}', 413),
    ],
)
async def test_bodies(world, content, status) -> None:
    answer = await patch(world, content)
    assert answer.status_code == status, answer.text
    if status == 422:
        assert answer.json()["detail"]


async def test_a_body_without_a_length_is_cut_off_too(world) -> None:
    async def endless():
        for _ in range(40):
            yield b" " * 65536

    async with world.client("agent") as client:
        answer = await client.patch(
            f"/v1/conversations/{world.ids['conversation']}", content=endless(), headers=JSON
        )
    assert answer.status_code == 413


@pytest.mark.parametrize("headers", [{"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}])
async def test_only_plain_json(world, headers) -> None:
    assert (await patch(world, b"{}", **headers)).status_code == 415


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (OperationalError("select 1", {}, Exception("carla@customer.example.com")), 503, "PostgreSQL"),
        (TemporalAway(), 503, "Temporal"),
        (TimeoutError(), 504, "30 seconds"),
        (ProgrammingError("select 1", {}, Exception("carla@customer.example.com")), 500, "defect"),
        (RuntimeError("carla@customer.example.com"), 500, "defect"),
    ],
)
async def test_errors_name_the_part_and_never_quote(world, monkeypatch, caplog, error, status, word) -> None:
    async def broken(_call: object) -> None:
        raise error

    monkeypatch.setattr(Dispatcher, "_checked", broken_of(broken))
    async with world.client("agent") as client:
        client.event_hooks = {"response": []}  # a defect is not a declared answer
        answer = await client.get("/v1/users")
    assert answer.status_code == status
    assert word in answer.json()["detail"]
    assert "carla" not in answer.text + caplog.text


def broken_of(raising):
    async def checked(_self: object, _request: object) -> None:
        await raising(None)

    return checked


async def test_a_handler_that_hangs_is_stopped(house, module_database, monkeypatch) -> None:
    deps = make_deps(house, module_database.url, config={"request_seconds": 0.05})
    world = await make_world(deps, mail=False)

    async def hang(_call: object) -> None:
        await asyncio.sleep(5)

    endpoint = Endpoint("GET", "/v1/users", hang, Access.PUBLIC, "hangs")
    async with client_of(deps, world, "agent") as client:
        app = client._transport.app  # type: ignore[attr-defined]
        route = next(r for r in app.routes if r.path == "/v1/users" and "GET" in r.methods)
        monkeypatch.setattr(route, "app", _app(Dispatcher(endpoint, deps)))
        assert (await client.get("/v1/users")).status_code == 504


def _app(dispatcher: Dispatcher):
    async def app(scope, receive, send):
        response = await dispatcher(Request(scope, receive))
        await response(scope, receive, send)

    return app


async def test_the_access_log_names_no_query_and_no_token(world, caplog) -> None:
    with caplog.at_level("INFO", logger="mailroom.api.access"):
        async with world.client("agent") as client:
            await client.get("/v1/conversations?search=carla@customer.example.com")
            await client.get("/v1/inline/sometokenthatopens")
    assert "GET /v1/conversations 200" in caplog.text
    assert "carla" not in caplog.text
    assert "sometoken" not in caplog.text


async def test_the_document_is_served_and_sound(world) -> None:
    async with world.client(None) as client:
        found = (await client.get("/v1/openapi.json")).json()
    assert found["openapi"] == "3.1.0"
    whole = json.dumps(found)
    names = set(found["components"]["schemas"])
    used = {part.split('"')[0] for part in whole.split('"#/components/schemas/')[1:]}
    assert used <= names
    operations = [(o, p) for p in found["paths"].values() for o in p.values()]
    ids = [o["operationId"] for o, _ in operations]
    assert len(ids) == len(set(ids))
    for path, methods in found["paths"].items():
        for operation in methods.values():
            inside = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert inside == {part.strip("{}") for part in path.split("/") if part.startswith("{")}
            assert operation["responses"]
