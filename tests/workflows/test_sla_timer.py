"""The timer of service levels with real rows on a server that skips time: warn and breach, a weekend of pause, an outage."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.sla_timer import SlaTiming
from contracts import ids, queues
from contracts.sla import SlaRef
from store.unit_of_work import Database
from tests.activities.clock_room import HOUR, MINUTE, ClockRoom
from tests.store.desk import open_desk
from workflows.sla_timer import SlaTimer


@pytest_asyncio.fixture
async def room(module_database) -> AsyncIterator[ClockRoom]:
    database = Database(module_database.url, pool_size=3)
    yield ClockRoom(await open_desk(database))
    await database.close()


@asynccontextmanager
async def working(
    env: WorkflowEnvironment, room: ClockRoom, *, away: Callable[[dt.datetime], bool] = lambda _: False
) -> AsyncIterator[None]:
    """A worker whose rows are compared with the server's own time. `away` says when its database does not answer."""

    async def clock(_connection: AsyncConnection) -> dt.datetime:
        now = await env.get_current_time()
        if away(now):
            raise ApplicationError("away", type="DatabaseUnavailable")
        return now

    timing = SlaTiming(room.desk.database, clock=clock)
    async with Worker(env.client, task_queue=queues.FLOW, workflows=[SlaTimer], activities=[timing.act, timing.recount]):
        yield


async def started(env: WorkflowEnvironment, room: ClockRoom) -> WorkflowHandle[SlaTimer, None]:
    tenant = str(room.desk.tenant_id)
    return await env.client.start_workflow(SlaTimer.run, SlaRef(tenant), id=ids.sla_timer(tenant), task_queue=queues.FLOW)


async def until(room: ClockRoom, kind: str, count: int) -> list[dict]:
    """Events of that kind, once there are so many: time skips only while nobody works, and the step is real."""
    async with asyncio.timeout(60):
        while len(found := await room.events(kind)) < count:  # noqa: ASYNC110 - a worker moves it
            await asyncio.sleep(0.02)
    return found


async def test_it_warns_and_breaches_at_their_instants_and_stays_light(time_skipping_env, room) -> None:
    env = time_skipping_env
    await room.policy(targets={"first_response": {"minutes": 240, "time": "calendar"}})
    now = (await env.get_current_time()).replace(microsecond=0)
    one = await room.conversation()
    await room.mail(now, to=one)
    await room.react()
    async with working(env, room):
        handle = await started(env, room)
        await env.sleep(3.3 * HOUR)
        await until(room, "sla.warned", 1)
        assert await room.events("sla.breached") == []
        await env.sleep(1 * HOUR)
        await until(room, "sla.breached", 1)
        clock = await room.clock(one)
        assert dt.timedelta() <= clock["warned_at"] - (now + 3.2 * HOUR) < MINUTE
        assert clock["breached_at"] >= clock["due_at"]
        await env.sleep(24 * HOUR)
        assert len(await room.events("sla.breached")) == 1
        # Every ten minutes a look of ten events, and none once no clock runs.
        assert (await handle.describe()).history_length < 500


async def test_a_pause_over_the_weekend_moves_the_breach_to_after_it(time_skipping_env, room) -> None:
    env = time_skipping_env
    await room.policy(targets={"first_response": {"minutes": 120, "time": "calendar"}})
    now = (await env.get_current_time()).replace(microsecond=0)
    one = await room.conversation()
    await room.mail(now, to=one)
    await room.status("pending", now + HOUR, of=one)
    await room.react()
    async with working(env, room):
        handle = await started(env, room)
        await env.sleep(64 * HOUR)
        assert await room.events("sla.warned") == []
        back = (await env.get_current_time()).replace(microsecond=0)
        await room.status("open", back, of=one)
        assert len(await room.react()) == 1
        await handle.signal(SlaTimer.poke)
        await env.sleep(2 * HOUR)
        await until(room, "sla.breached", 1)
    assert (await room.clock(one))["due_at"] == back + HOUR


async def test_after_an_outage_it_acts_late_once_and_by_the_facts(time_skipping_env, room) -> None:
    """The database is away from before the clock warns until after it is due."""
    env = time_skipping_env
    await room.policy(targets={"first_response": {"minutes": 60, "time": "calendar"}})
    now = (await env.get_current_time()).replace(microsecond=0)
    one, answered = await room.conversation(), await room.conversation()
    await room.mail(now, to=one)
    await room.mail(now, to=answered)
    await room.react()

    def away(at: dt.datetime) -> bool:
        return now + 40 * MINUTE < at < now + 75 * MINUTE

    async with working(env, room, away=away):
        await started(env, room)
        await env.sleep(HOUR)
        assert await room.events("sla.warned") == []
        await room.answer(now + HOUR / 2, to=answered)  # its event is not read yet
        await env.sleep(2 * HOUR)
        await until(room, "sla.breached", 1)
    told = await room.events("sla.breached")
    assert [e["conversation_id"] for e in told] == [one]
    assert await room.events("sla.warned") == []
    assert now + 75 * MINUTE <= (await room.clock(one))["breached_at"] < now + 77 * MINUTE
    assert (await room.clock(answered))["met_at"] == now + HOUR / 2


async def test_without_running_clocks_it_sleeps_until_it_is_told(time_skipping_env, room) -> None:
    env = time_skipping_env
    await room.policy(targets={"first_response": {"minutes": 60, "time": "calendar"}})
    async with working(env, room):
        handle = await started(env, room)
        await env.sleep(200 * HOUR)
        assert (await handle.describe()).history_length < 20
        one = await room.conversation()
        await room.mail((await env.get_current_time()).replace(microsecond=0), to=one)
        assert len(await room.react()) == 1
        await handle.signal(SlaTimer.poke)
        await env.sleep(2 * HOUR)
        await until(room, "sla.breached", 1)
    assert (await room.clock(one))["warned_at"] is not None

