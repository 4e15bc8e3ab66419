"""Whether the parts answer, and the figures that operators watch."""

from store.unit_of_work import Database
from tests.api.stand_ins import make_deps
from tests.api.world import client_of


async def test_ready_names_each_part(world) -> None:
    async with world.client(None) as client:
        good = await client.get("/readyz")
        assert (good.status_code, good.json()["ok"]) == (200, True)
        assert set(good.json()["parts"]) == {"postgresql", "temporal", "s3"}
        world.gateway.away = True
        world.blobs.away = True
        bad = await client.get("/readyz")
    assert bad.status_code == 503
    assert {n: p["ok"] for n, p in bad.json()["parts"].items()} == {
        "postgresql": True,
        "temporal": False,
        "s3": False,
    }


async def test_without_a_database_it_is_alive_and_not_ready() -> None:
    database = Database("postgresql+psycopg://nobody:x@127.0.0.1:1/none", pool_size=1)
    deps = make_deps(database, "postgresql+psycopg://nobody:x@127.0.0.1:1/none")
    async with client_of(deps, None, None) as client:
        assert (await client.get("/healthz")).json() == {"ok": True}
        assert (await client.get("/readyz")).status_code == 503
        answer = await client.get("/v1/session", headers={"Cookie": "mailroom=x"})
        assert (answer.status_code, answer.json()["part"]) == (503, "PostgreSQL")
        assert "mailroom_postgresql_up 0.0" in (await client.get("/metrics")).text
    await database.close()


async def test_figures(world) -> None:
    async with world.client("agent") as client:
        await client.get(f"/v1/conversations/{world.ids['conversation']}")
        text = (await client.get("/metrics")).text
    assert (
        'mailroom_http_requests_total{method="GET",route="/v1/conversations/{conversation_id}",status="200"} 1.0'
        in text
    )
    assert "mailroom_postgresql_up 1.0" in text
    assert 'mailroom_sends_open{status="unknown"}' in text
    assert str(world.ids["conversation"]) not in text
    assert "carla" not in text
