"""The order of a backfill: plan, steps, pauses, and what a trouble costs."""

import uuid

from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from contracts import ids, queues
from contracts.backfill import BackfillProgress
from contracts.refs import FolderRef
from tests.workflows.inbound_parts import TENANT, History, workers
from workflows.backfill import Backfill

RUNNING = BackfillProgress("running", 0, 10)
HALF = BackfillProgress("running", 5, 10, eta_seconds=30)
DONE = BackfillProgress("done", 10, 10)


async def start(client: Client) -> WorkflowHandle[Backfill, BackfillProgress]:
    ref = FolderRef(TENANT, str(uuid.uuid4()), str(uuid.uuid4()))
    return await client.start_workflow(
        Backfill.run, ref, id=ids.backfill(ref.inbox_id, ref.folder_id), task_queue=queues.FLOW
    )


async def test_it_steps_until_done(time_skipping_env: WorkflowEnvironment) -> None:
    history = History([RUNNING], [HALF, DONE])
    async with workers(time_skipping_env.client, history=history):
        assert await (await start(time_skipping_env.client)).result() == DONE
    assert [name for name, _ in history.calls] == ["plan", "step", "step"]


async def test_paused_it_waits_for_a_word(time_skipping_env: WorkflowEnvironment) -> None:
    history = History([BackfillProgress("paused", 5, 10), HALF], [DONE])
    async with workers(time_skipping_env.client, history=history):
        handle = await start(time_skipping_env.client)
        await time_skipping_env.sleep(7200)
        assert [name for name, _ in history.calls] == ["plan"]
        await handle.signal(Backfill.resume)
        assert await handle.result() == DONE


async def test_cancelled_it_ends(time_skipping_env: WorkflowEnvironment) -> None:
    cancelled = BackfillProgress("cancelled", 5, 10)
    history = History([RUNNING], [cancelled])
    async with workers(time_skipping_env.client, history=history):
        assert await (await start(time_skipping_env.client)).result() == cancelled


async def test_trouble_is_waited_out(time_skipping_env: WorkflowEnvironment) -> None:
    away = BackfillProgress("running", 5, 10, failure="Unreachable")
    throttled = BackfillProgress("running", 5, 10, failure="Throttled", retry_seconds=900)
    history = History([RUNNING], [away, throttled, DONE])
    async with workers(time_skipping_env.client, history=history):
        handle = await start(time_skipping_env.client)
        assert await handle.result() == DONE
    events = [event async for event in handle.fetch_history_events()]
    # The timers themselves: skipped time does not stand still while a busy machine works.
    timers = [e.timer_started_event_attributes for e in events if e.HasField("timer_started_event_attributes")]
    assert [timer.start_to_fire_timeout.ToTimedelta().total_seconds() for timer in timers] == [10, 900]
    first, second, third = [when for name, when in history.calls if name == "plan"]
    assert (second - first).total_seconds() >= 10
    assert (third - second).total_seconds() >= 900


async def test_without_a_connection_it_waits_for_one(time_skipping_env: WorkflowEnvironment) -> None:
    """Connecting the inbox again says so; nobody is asked before, but for a look at the row now and then."""
    apart = BackfillProgress("running", 5, 10, failure="NotConnected")
    history = History([RUNNING, apart, HALF], [apart, DONE])
    async with workers(time_skipping_env.client, history=history):
        handle = await start(time_skipping_env.client)
        await time_skipping_env.sleep(5 * 3600)
        assert [name for name, _ in history.calls] == ["plan", "step"]
        await time_skipping_env.sleep(2 * 3600)
        assert [name for name, _ in history.calls] == ["plan", "step", "plan"]
        await handle.signal(Backfill.resume)
        assert await handle.result() == DONE
    assert (history.calls[3][1] - history.calls[2][1]).total_seconds() < 5 * 3600


async def test_a_folder_that_was_removed_ends_it(time_skipping_env: WorkflowEnvironment) -> None:
    history = History([RUNNING], [ApplicationError("gone", type="NotFound", non_retryable=True)])
    async with workers(time_skipping_env.client, history=history):
        assert (await (await start(time_skipping_env.client)).result()).failure == "NotFound"
