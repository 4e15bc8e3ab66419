"""The event stream over a real server: nothing lost, nothing doubled, nobody's else, and an end when it must end."""

import asyncio
import contextlib
import json
import socket
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio
import uvicorn
from httpx_sse import ServerSentEvent, aconnect_sse
from sqlalchemy import text

import api.stream
from api.app import create_app
from api.deps import Deps
from api.stream import EventStreams, Subscription
from store.event_log import Cursor, LoggedEvent, NewEvent, append_events, head
from store.event_wakeups import can_resume
from store.unit_of_work import Database
from tests.api.stand_ins import make_deps
from tests.api.world import NOW, World, make_world


@dataclass
class Served:
    deps: Deps
    url: str
    world: World


@contextlib.asynccontextmanager
async def serving(deps: Deps) -> AsyncIterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(deps),
            host="127.0.0.1",
            port=port,
            log_config=None,
            lifespan="on",
            timeout_graceful_shutdown=2,
        )
    )
    server.install_signal_handlers = lambda: None  # type: ignore[method-assign]
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 – uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


@pytest_asyncio.fixture(loop_scope="session")
async def served(module_database) -> AsyncIterator[Served]:
    database = Database(module_database.url, pool_size=8)
    deps = make_deps(database, module_database.url, config={"recheck_seconds": 0.3})
    world = await make_world(deps)
    async with serving(deps) as url:
        yield Served(deps, url, world)


@contextlib.asynccontextmanager
async def listening(
    served: Served, who: str = "agent", after: str | None = None, **headers: str
) -> AsyncIterator[Any]:
    """An open stream's events, each within ten seconds."""
    sent = dict(headers)
    if who.startswith("key:"):
        sent["Authorization"] = f"Bearer {served.world.keys[who[4:]]}"
    else:
        sent["Cookie"] = f"mailroom={served.world.tokens[who]}"
    async with (
        httpx.AsyncClient(timeout=10, headers=sent, trust_env=False) as client,
        aconnect_sse(
            client, "GET", f"{served.url}/v1/events/stream", params={"after": after} if after else {}
        ) as source,
    ):
        source.response.raise_for_status()
        yield source.aiter_sse()


async def tell(world: World, kind: str = "inbox.updated", **values: Any) -> int:
    """One event; gives its number."""
    number = uuid.uuid4().int % 10**9
    async with world.database.unit_of_work(world.tenant_id) as connection:
        given = {"inbox_id": world.ids["inbox"], "payload": {"n": number}} | values
        await append_events(connection, [NewEvent(kind, world.tenant_id, **given)])
    return number


async def take(events: Any, amount: int) -> list[ServerSentEvent]:
    async with asyncio.timeout(10):
        return [await anext(events) for _ in range(amount)]


def numbers(events: list[ServerSentEvent]) -> list[int]:
    return [json.loads(e.data)["payload"]["n"] for e in events]


async def test_ready_first_then_what_happens(served) -> None:
    async with listening(served) as events:
        (ready,) = await take(events, 1)
        assert ready.event == "ready"
        assert json.loads(ready.data)["cursor"] == ready.id
        told = await tell(
            served.world,
            "message.received",
            message_id=served.world.ids["message"],
            conversation_id=served.world.ids["conversation"],
        )
        (event,) = await take(events, 1)
    data = json.loads(event.data)
    assert event.event == data["type"] == "message.received"
    assert data["payload"] == {"n": told}
    assert data["message_id"] == str(served.world.ids["message"])
    assert data["inbox_id"] == str(served.world.ids["inbox"])
    assert data["at"].endswith("Z")
    assert event.id > ready.id


@pytest.mark.parametrize("by", ["header", "address"])
async def test_a_stream_resumes_where_it_was_left(served, by) -> None:
    async with listening(served) as events:
        (ready,) = await take(events, 1)
    missed = [await tell(served.world) for _ in range(3)]
    how = {"Last-Event-ID": ready.id} if by == "header" else {}
    async with listening(served, after=ready.id if by == "address" else None, **how) as events:
        later = asyncio.create_task(take(events, 5))
        await asyncio.sleep(0.2)
        missed.append(await tell(served.world))
        got = await later
    assert [e.event for e in got[:1]] == ["ready"]
    assert numbers(got[1:]) == missed
    async with listening(served, after=got[2].id) as events:
        assert numbers((await take(events, 3))[1:]) == missed[2:]


async def test_nothing_is_lost_or_doubled_while_late_commits_race_catch_up_and_live(served) -> None:
    """Transactions that begin early and commit late, while clients come, go and resume at every moment."""
    world, rounds = served.world, 60
    async with listening(served) as events:
        (start,) = await take(events, 1)
    told: list[int] = []

    async def write(index: int) -> None:
        async with world.database.unit_of_work(world.tenant_id) as connection:
            # Takes the transaction's number now, and its place in the log with it.
            await connection.execute(text("select pg_current_xact_id()"))
            await asyncio.sleep((index * 37 % 11) / 50)
            await append_events(
                connection,
                [
                    NewEvent(
                        "inbox.updated",
                        world.tenant_id,
                        inbox_id=world.ids["inbox"],
                        payload={"n": index * 10 + part},
                    )
                    for part in range(2)
                ],
            )
            await asyncio.sleep((index * 13 % 7) / 100)
        told.extend((index * 10, index * 10 + 1))

    async def read() -> list[int]:
        """Reconnects after a few events each time, from the last one it saw."""
        got: list[int] = []
        cursor = start.id
        while len(got) < rounds * 2:
            async with listening(served, after=cursor) as events:
                await take(events, 1)
                for _ in range(1 + len(got) % 9):
                    if len(got) == rounds * 2:
                        break
                    (event,) = await take(events, 1)
                    got += numbers([event])
                    cursor = event.id
        return got

    async def write_all() -> None:
        for begun in range(0, rounds, 6):
            await asyncio.gather(*(write(i) for i in range(begun, begun + 6)))

    async with listening(served, after=start.id) as steady:
        results = await asyncio.gather(read(), read(), write_all())
        whole = numbers((await take(steady, 1 + rounds * 2))[1:])
    assert sorted(whole) == sorted(told)
    assert results[0] == whole
    assert results[1] == whole


async def test_a_cursor_at_the_very_head_resumes(served) -> None:
    """Nothing has happened since, not even a transaction number was used: that is no cursor of the future."""
    async with served.deps.database.system_unit_of_work() as connection:
        cursor = await head(connection)
        assert await can_resume(connection, cursor)
        assert not await can_resume(connection, Cursor(cursor.xid + 1000, 0))


async def test_an_open_transaction_delays_and_loses_nothing(served, module_database) -> None:
    """A commit behind an older open transaction is read as soon as that one ends, although nobody notifies then."""
    async with listening(served) as events:
        await take(events, 1)
        async with await psycopg.AsyncConnection.connect(module_database.admin_dsn) as older:
            await older.execute("select pg_current_xact_id()")
            told = await tell(served.world)
            waiting = asyncio.create_task(take(events, 1))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            await older.rollback()
            began = asyncio.get_running_loop().time()
            assert numbers(await waiting) == [told]
            assert asyncio.get_running_loop().time() - began < 1


async def test_others_events_and_hidden_inboxes_stay_unseen(served, module_database) -> None:
    world = served.world
    stranger = await make_world(served.deps)
    hidden = await world.insert("inboxes", name="Hidden", email_address="hidden@example.org")
    await world.rows(
        "insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)",
        i=hidden,
        u=world.people["viewer"],
    )
    async with (
        listening(served, "agent") as agent,
        listening(served, "viewer") as viewer,
        listening(served, "owner") as owner,
    ):
        for events in (agent, viewer, owner):
            await take(events, 1)
        await tell(stranger)
        secret = await tell(world, inbox_id=hidden)
        fresh = await world.insert("inboxes", name="Fresh", email_address="fresh@example.org")
        shown = [await tell(world, inbox_id=fresh), await tell(world, inbox_id=None)]
        assert numbers(await take(agent, 2)) == shown
        assert numbers(await take(viewer, 3)) == [secret, *shown]
        assert numbers(await take(owner, 3)) == [secret, *shown]


@pytest.mark.parametrize("cursor", ["1.1", "999999999999.1"])
async def test_a_cursor_that_cannot_be_resumed_from_resets(served, module_database, cursor) -> None:
    async with listening(served) as events:
        await take(events, 1)
        await tell(served.world)
        await take(events, 1)  # so that the reader stands behind it
    if cursor == "1.1":  # as if retention had taken the beginning of the log
        with psycopg.connect(module_database.admin_dsn, autocommit=True) as owner:
            owner.execute("delete from events where id = (select min(id) from events)")
    async with listening(served, after=cursor) as events:
        kinds = [e.event for e in await take(events, 2)]
        assert kinds == ["ready", "reset"]
        told = await tell(served.world)
        assert numbers(await take(events, 1)) == [told]


async def test_a_place_in_the_life_before_a_restore_resets_and_does_not_hang(served, monkeypatch) -> None:
    async with listening(served) as events:
        await take(events, 1)
        told = await tell(served.world)
        (before,) = await take(events, 1)
    monkeypatch.setattr(served.deps.streams, "era", 2)
    async with listening(served, after=before.id) as events:
        ready, reset = await take(events, 2)
        assert (ready.event, reset.event) == ("ready", "reset")
        assert reset.id.endswith("~2")
        told = await tell(served.world)
        (heard,) = await take(events, 1)
        assert numbers([heard]) == [told]
    async with listening(served, after=heard.id) as events:
        (ready,) = await take(events, 1)
        assert (ready.event, ready.id) == ("ready", heard.id), "places of this life go on"


@pytest.mark.parametrize("after", ["x", "1", "1.2.3", "-1.2", "1." + "9" * 19, "1.2~", "1.2~x"])
async def test_a_cursor_that_is_none_is_refused(served, after) -> None:
    async with served.world.client("agent") as client:
        answer = await client.get("/v1/events/stream", params={"after": after})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "after")


@pytest.mark.parametrize("who", ["agent", "key:read"])
async def test_a_revoked_caller_is_let_go(served, who) -> None:
    async with listening(served, who) as events:
        await take(events, 1)
        await served.world.rows("delete from sessions where user_id = :u", u=served.world.people["agent"])
        await served.world.rows("update api_keys set revoked_at = now() where scopes = '{read}'")
        with pytest.raises(StopAsyncIteration):
            await take(events, 1)


def test_a_full_queue_is_noticed_once() -> None:
    subscription = Subscription(uuid.uuid4(), "x", Cursor(1, 0), asyncio.Queue(2))

    def event(n: int) -> LoggedEvent:
        return LoggedEvent(Cursor(2, n), "t", subscription.tenant_id, None, None, None, "system", {}, NOW)

    assert [subscription.offer(event(n)) for n in range(4)] == [True, True, False, True]
    assert subscription.overflowed
    assert subscription.queue.qsize() == 2


async def test_a_client_that_falls_behind_is_told_to_load_again(served, monkeypatch) -> None:
    original = Subscription.offer

    def full(self: Subscription, event: LoggedEvent) -> bool:
        self.overflowed = self.overflowed or event.payload.get("n", 0) % 10 == 3
        return original(self, event)

    monkeypatch.setattr(Subscription, "offer", full)
    async with listening(served) as events:
        await take(events, 1)
        await tell(served.world, payload={"n": 13})
        (reset,) = await take(events, 1)
        assert reset.event == "reset"
        with pytest.raises(StopAsyncIteration):
            await take(events, 1)
    monkeypatch.undo()
    async with listening(served, after=reset.id) as events:
        assert numbers((await take(events, 2))[1:]) == [13]


async def test_too_many_streams_of_one_person(served, monkeypatch) -> None:
    monkeypatch.setattr(api.stream, "OF_USER_MOST", 2)
    async with listening(served, "owner") as one, listening(served, "owner") as two:
        await take(one, 1)
        await take(two, 1)
        with pytest.raises(httpx.HTTPStatusError) as refused:
            async with listening(served, "owner"):
                pass
        assert refused.value.response.status_code == 429


async def test_without_wake_ups_it_reads_by_the_clock(module_database, monkeypatch) -> None:
    monkeypatch.setattr(api.stream, "BLIND_SECONDS", 0.1)
    database = Database(module_database.url, pool_size=3)
    deps = make_deps(database, module_database.url)
    blind = EventStreams(database, "postgresql://nobody@127.0.0.1:1/none", deps.metrics)
    world = await make_world(deps, mail=False)
    blind.start()
    try:
        await blind.check_room(world.tenant_id, "x")
        async with blind.subscribe(world.tenant_id, "x") as subscription:
            told = await tell(world)
            event = await asyncio.wait_for(subscription.queue.get(), 5)
        assert event.payload == {"n": told}
    finally:
        await blind.close()
        await database.close()


async def test_the_reader_comes_back_after_its_connections_were_cut(served, module_database) -> None:
    async with listening(served) as events:
        (ready,) = await take(events, 1)
        with psycopg.connect(module_database.admin_dsn, autocommit=True) as owner:
            owner.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            )
    await asyncio.sleep(0.2)
    told = await tell(served.world)
    for _ in range(20):
        with contextlib.suppress(httpx.HTTPError):
            async with listening(served, after=ready.id) as events:
                got = await take(events, 2)
                break
        await asyncio.sleep(0.2)
    assert numbers(got[1:]) == [told]


async def test_a_stream_says_which_part_is_away_and_keeps_its_place(served, monkeypatch) -> None:
    monkeypatch.setattr("api.part_watch.EVERY_SECONDS", 0.1)
    monkeypatch.setattr("api.part_watch.AGAIN_SECONDS", 0.1)
    served.deps.blobs.away = True
    try:
        async with listening(served) as events:
            ready = await anext(events)
            told = await anext(events)
            assert (told.event, json.loads(told.data)["away"]) == ("parts", ["s3"])
            assert told.id in {"", ready.id}
            served.deps.blobs.away = False
            told = await anext(events)
            assert (told.event, json.loads(told.data)["away"]) == ("parts", [])
    finally:
        served.deps.blobs.away = False
