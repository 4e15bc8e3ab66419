"""The order of a re-ingest: steps until the row has what it wants, rests, words from outside, and what an order finds running."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from contracts import ids, queues
from contracts.reingest import ReingestProgress, ReingestRef, ReingestSteps
from workflows.reingest import Reingest

READING = ReingestProgress("planning", total=9, done=3)
PLANNED = ReingestProgress("planned", total=9, done=9, changed=2, to_apply=4)
WRITING = ReingestProgress("applying", total=9, done=9, changed=2, to_apply=4, applied=1)
WRITTEN = ReingestProgress("applied", total=9, done=9, changed=2, to_apply=4, applied=4)
RESTING = ReingestProgress("planning", paused=True, total=9, done=3)


@dataclass
class Shelf(ReingestSteps):
    """Gives the next of its answers, and remembers what was asked."""

    plans: list[Any] = field(default_factory=list)
    applies: list[Any] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None

    @activity.defn(name="reingest.plan")
    async def plan(self, ref: ReingestRef) -> ReingestProgress:
        self.calls.append("plan")
        if self.hold is not None:
            await self.hold.wait()
        return _next(self.plans)

    @activity.defn(name="reingest.apply")
    async def apply(self, ref: ReingestRef) -> ReingestProgress:
        self.calls.append("apply")
        return _next(self.applies)


def _next(answers: list[Any]) -> ReingestProgress:
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


@asynccontextmanager
async def workers(client: Client, shelf: Shelf) -> AsyncIterator[None]:
    async with (
        Worker(client, task_queue=queues.FLOW, workflows=[Reingest]),
        Worker(client, task_queue=queues.REINGEST, activities=[shelf.plan, shelf.apply]),
    ):
        yield


async def start(client: Client, **options: Any) -> WorkflowHandle[Reingest, ReingestProgress]:
    ref = ReingestRef(str(uuid.UUID(int=1)), str(uuid.uuid4()))
    return await client.start_workflow(
        Reingest.run, ref, id=ids.reingest(ref.reingest_id), task_queue=queues.FLOW, **options
    )


async def test_a_dry_run_ends_when_all_is_compared(time_skipping_env: WorkflowEnvironment) -> None:
    shelf = Shelf([READING, READING, PLANNED])
    async with workers(time_skipping_env.client, shelf):
        handle = await start(time_skipping_env.client)
        assert await handle.result() == PLANNED
        assert await handle.query(Reingest.progress) == PLANNED
    assert shelf.calls == ["plan"] * 3  # between the halves nothing runs


async def test_what_was_ordered_is_taken_over(time_skipping_env: WorkflowEnvironment) -> None:
    shelf = Shelf([WRITING], [WRITING, WRITTEN])
    async with workers(time_skipping_env.client, shelf):
        assert await (await start(time_skipping_env.client, start_signal="poke")).result() == WRITTEN
    assert shelf.calls == ["plan", "apply", "apply"]  # the first asks the row what is wanted


async def test_an_order_that_comes_at_the_end_of_the_dry_run_is_heard(time_skipping_env: WorkflowEnvironment) -> None:
    shelf = Shelf([PLANNED], [WRITING, WRITTEN], hold=asyncio.Event())
    async with workers(time_skipping_env.client, shelf):
        handle = await start(time_skipping_env.client)
        async with asyncio.timeout(20):
            while not shelf.calls:  # noqa: ASYNC110 – a worker moves it
                await asyncio.sleep(0.01)
        await handle.signal(Reingest.poke)
        assert shelf.hold
        shelf.hold.set()
        assert await handle.result() == WRITTEN


async def test_paused_it_waits_for_a_word(time_skipping_env: WorkflowEnvironment) -> None:
    shelf = Shelf([RESTING, PLANNED])
    async with workers(time_skipping_env.client, shelf):
        handle = await start(time_skipping_env.client)
        await time_skipping_env.sleep(7200)
        assert shelf.calls == ["plan"]
        await handle.signal(Reingest.poke)
        assert await handle.result() == PLANNED


async def test_cancelled_and_removed_runs_end(time_skipping_env: WorkflowEnvironment) -> None:
    for answer in (ReingestProgress("cancelled"), ApplicationError("gone", type="NotFound", non_retryable=True)):
        async with workers(time_skipping_env.client, Shelf([READING, answer])):
            assert (await (await start(time_skipping_env.client)).result()).state == "cancelled"


async def test_a_given_up_attempt_that_comes_back_ends_nothing(time_skipping_env: WorkflowEnvironment) -> None:
    lost = ApplicationError("lost", type="LeaseLost", non_retryable=True)
    shelf = Shelf([READING, lost, PLANNED])
    async with workers(time_skipping_env.client, shelf):
        assert await (await start(time_skipping_env.client)).result() == PLANNED
