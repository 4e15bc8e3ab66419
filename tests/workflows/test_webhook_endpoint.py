"""When an endpoint is asked again, with rows that are only played, on a server that skips time."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from contracts import ids, queues
from contracts.webhooks import WebhookRef, WebhookReport, WebhookSteps
from rules.webhooks import ATTEMPTS, WAITS
from workflows import webhook_endpoint
from workflows.webhook_endpoint import WebhookEndpoint

NOTHING, MORE = WebhookReport(), WebhookReport(20, 0, 0.0)
TENANT = str(uuid.UUID(int=1))


@dataclass
class Rows(WebhookSteps):
    """Gives the next of its answers, the last one again and again, and notes when it was asked. `meanwhile` is awaited first."""

    answers: list[WebhookReport | Exception]
    ref: WebhookRef = field(default_factory=lambda: WebhookRef(TENANT, str(uuid.uuid4())))
    asked: list[dt.datetime] = field(default_factory=list)
    hold: asyncio.Event | None = None

    @activity.defn(name="webhook.drain")
    async def drain(self, ref: WebhookRef) -> WebhookReport:
        assert ref == self.ref
        self.asked.append(activity.info().scheduled_time)
        if self.hold is not None:
            await self.hold.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def was_asked(self, times: int) -> None:
        async with asyncio.timeout(60):
            while len(self.asked) < times:  # noqa: ASYNC110 - a worker moves it
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(env: WorkflowEnvironment, rows: Rows) -> AsyncIterator[WorkflowHandle[WebhookEndpoint, None]]:
    # Without the sandbox, which would load the workflow anew and not see what a test has changed.
    runner = UnsandboxedWorkflowRunner()
    async with (
        Worker(env.client, task_queue=queues.FLOW, workflows=[WebhookEndpoint], workflow_runner=runner),
        Worker(env.client, task_queue=queues.WEBHOOKS, activities=[rows.drain]),
    ):
        yield await env.client.start_workflow(
            WebhookEndpoint.run, rows.ref, id=ids.webhook(rows.ref.endpoint_id), task_queue=queues.FLOW, start_signal="poke"
        )


async def test_it_asks_again_after_each_wait_and_ends_when_nothing_waits(time_skipping_env: WorkflowEnvironment) -> None:
    """The ten attempts of one delivery, over a day."""
    rows = Rows([*(WebhookReport(0, 1, wait.total_seconds()) for wait in WAITS), NOTHING])
    async with running(time_skipping_env, rows) as handle:
        await handle.result()
        assert (await handle.describe()).history_length < 150
    assert len(rows.asked) == ATTEMPTS
    for earlier, later, wait in zip(rows.asked, rows.asked[1:], WAITS, strict=False):
        assert (later - earlier) >= wait
    assert rows.asked[-1] - rows.asked[0] == pytest.approx(sum(WAITS, dt.timedelta()), abs=dt.timedelta(minutes=5))


async def test_a_poke_while_it_waits_makes_it_look_at_once(time_skipping_env: WorkflowEnvironment) -> None:
    rows = Rows([WebhookReport(0, 1, 43_200.0), NOTHING])
    async with running(time_skipping_env, rows) as handle:
        await rows.was_asked(1)
        await handle.signal(WebhookEndpoint.poke)
        await handle.result()
    assert rows.asked[1] - rows.asked[0] < dt.timedelta(hours=12)


async def test_what_comes_while_it_is_about_to_end_is_looked_at(time_skipping_env: WorkflowEnvironment) -> None:
    rows = Rows([NOTHING], hold=asyncio.Event())
    async with running(time_skipping_env, rows) as handle:
        await rows.was_asked(1)
        await handle.signal(WebhookEndpoint.poke)
        rows.hold.set()  # type: ignore[union-attr]
        await handle.result()
    assert len(rows.asked) == 2


async def test_the_weather_is_waited_out_and_long_queues_continue_as_new(
    time_skipping_env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_endpoint, "STEPS_A_RUN", 20)
    away = ApplicationError("away", type="DatabaseUnavailable")
    rows = Rows([away, *[MORE] * 25, NOTHING])
    async with running(time_skipping_env, rows) as handle:
        first = (await handle.describe()).run_id
        await handle.result()
        last = time_skipping_env.client.get_workflow_handle(handle.id)
        described = await last.describe()
        assert described.run_id != first
        assert described.history_length < 100
    assert len(rows.asked) == 27
