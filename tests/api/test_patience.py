"""A part that hangs is given up within seconds, a part that is slow is waited for, and nobody waits twice."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

import api.patience
from api.patience import GivenUp, Patience, bounded
from store.unit_of_work import Database
from tests.api.stand_ins import make_deps
from tests.api.world import client_of


@pytest.fixture
def quick(monkeypatch) -> None:
    monkeypatch.setattr(api.patience, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(api.patience, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(api.patience, "REST_SECONDS", 1.0)


async def nothing() -> None:
    return None


async def for_ever() -> None:
    await asyncio.sleep(3600)


async def stubborn() -> None:
    """As a driver that waits for its dead server to confirm a cancellation."""
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await asyncio.sleep(5)
        raise


async def test_slow_work_of_a_living_part_is_waited_for(quick) -> None:
    async def slow() -> int:
        await asyncio.sleep(0.3)
        return 7

    assert await Patience(nothing).during(slow()) == 7


async def test_a_part_that_hangs_is_given_up_and_then_rests(quick) -> None:
    alive = [False]

    async def probe() -> None:
        if not alive[0]:
            await stubborn()

    patience = Patience(probe)
    began = time.monotonic()
    with pytest.raises(GivenUp):
        await patience.during(stubborn())
    with pytest.raises(GivenUp):
        await patience.during(nothing())  # not even tried
    assert time.monotonic() - began < 1
    alive[0] = True
    await asyncio.sleep(1.1)
    await patience.during(nothing())


async def test_many_who_wait_ask_once(quick) -> None:
    asked = []

    async def probe() -> None:
        asked.append(1)
        raise ConnectionError

    patience = Patience(probe)
    outcomes = await asyncio.gather(*(patience.during(for_ever()) for _ in range(50)), return_exceptions=True)
    assert {type(o) for o in outcomes} == {GivenUp}
    assert len(asked) == 1


async def test_the_limit_holds_for_a_part_that_lives(quick) -> None:
    with pytest.raises(TimeoutError):
        await Patience(nothing).during(for_ever(), limit=0.2)
    with pytest.raises(TimeoutError):
        await bounded(stubborn(), 0.05)


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port that takes connections and says nothing, as a stopped PostgreSQL does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        yield listener.getsockname()[1]


async def test_a_database_that_hangs_is_503_with_its_name_within_five_seconds(deaf) -> None:
    url = f"postgresql+psycopg://nobody:x@127.0.0.1:{deaf}/none"
    database = Database(url, pool_size=1)
    deps = make_deps(database, url)
    async with client_of(deps, None, None) as client:
        began = time.monotonic()
        answers = await asyncio.gather(
            *(client.get("/v1/session", headers={"Cookie": "mailroom=x"}) for _ in range(5)),
            client.get("/healthz"),
        )
        took = time.monotonic() - began
        again = time.monotonic()
        at_once = await client.get("/v1/session", headers={"Cookie": "mailroom=x"})
        assert time.monotonic() - again < 1
    assert took < 5, "no answer took longer than five seconds"
    assert answers.pop().status_code == 200
    for answer in (*answers, at_once):
        assert (answer.status_code, answer.json()["part"]) == (503, "PostgreSQL")
        assert answer.headers["Retry-After"] == "5"
    await database.close()
