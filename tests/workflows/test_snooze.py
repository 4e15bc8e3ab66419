"""When a snoozed conversation is looked at, with a row that is only played, on a server that skips time."""

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
from temporalio.worker import Worker

from contracts import ids, queues
from contracts.refs import ConversationRef
from contracts.snooze import SnoozeLook, SnoozeState, SnoozeSteps
from workflows.snooze import Snooze

DAY = 86_400.0
AWAKE, OVER = SnoozeLook(SnoozeState.WOKEN), SnoozeLook(SnoozeState.OVER)


def asleep(seconds: float) -> SnoozeLook:
    return SnoozeLook(SnoozeState.WAITING, seconds)


@dataclass
class Row(SnoozeSteps):
    """Gives the next of its answers, the last one again and again, and notes when it was asked."""

    answers: list[SnoozeLook | Exception]
    ref: ConversationRef = field(default_factory=lambda: ConversationRef(str(uuid.UUID(int=1)), str(uuid.uuid4())))
    asked: list[dt.datetime] = field(default_factory=list)

    @activity.defn(name="snooze.wake")
    async def wake(self, ref: ConversationRef) -> SnoozeLook:
        assert ref == self.ref
        self.asked.append(activity.info().scheduled_time)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def was_asked(self, times: int) -> None:
        async with asyncio.timeout(60):
            while len(self.asked) < times:  # noqa: ASYNC110 – a worker moves it
                await asyncio.sleep(0.01)

    @property
    def after(self) -> list[float]:
        """Seconds from the first look to each."""
        return [(at - self.asked[0]).total_seconds() for at in self.asked]


@asynccontextmanager
async def running(env: WorkflowEnvironment, row: Row) -> AsyncIterator[WorkflowHandle[Snooze, SnoozeState]]:
    async with Worker(env.client, task_queue=queues.FLOW, workflows=[Snooze], activities=[row.wake]):
        yield await env.client.start_workflow(
            Snooze.run, row.ref, id=ids.snooze(row.ref.conversation_id), task_queue=queues.FLOW, start_signal="poke"
        )


async def test_it_looks_again_when_the_time_has_come_and_ends_once_it_is_awake(time_skipping_env: WorkflowEnvironment) -> None:
    row = Row([asleep(30 * DAY), AWAKE])
    async with running(time_skipping_env, row) as handle:
        assert await handle.result() is SnoozeState.WOKEN
        assert (await handle.describe()).history_length < 30
    assert row.after == [0, pytest.approx(30 * DAY, abs=60)]


async def test_a_timer_that_is_early_by_another_clock_waits_for_the_rest(time_skipping_env: WorkflowEnvironment) -> None:
    row = Row([asleep(600.0), asleep(3.0), AWAKE])
    async with running(time_skipping_env, row) as handle:
        assert await handle.result() is SnoozeState.WOKEN
    assert len(row.asked) == 3
    assert row.after[2] >= 603


@pytest.mark.parametrize("seconds", [2 * DAY, 60.0])
async def test_another_time_takes_the_place_of_the_first_one(time_skipping_env: WorkflowEnvironment, seconds: float) -> None:
    row = Row([asleep(DAY), asleep(seconds), AWAKE])
    async with running(time_skipping_env, row) as handle:
        await row.was_asked(1)
        await handle.signal(Snooze.poke)
        assert await handle.result() is SnoozeState.WOKEN
    assert len(row.asked) == 3
    assert row.after[1] < DAY / 2
    assert row.after[2] == pytest.approx(row.after[1] + seconds, abs=60)


async def test_a_conversation_that_a_mail_has_woken_is_left_alone(time_skipping_env: WorkflowEnvironment) -> None:
    """Nobody tells the run of the mail: at its time it finds nothing asleep, and ends."""
    row = Row([asleep(3 * DAY), OVER])
    async with running(time_skipping_env, row) as handle:
        assert await handle.result() is SnoozeState.OVER
    assert row.after == [0, pytest.approx(3 * DAY, abs=60)]


async def test_a_database_that_is_away_makes_it_late_and_nothing_else(time_skipping_env: WorkflowEnvironment) -> None:
    away = ApplicationError("away", type="DatabaseUnavailable")
    row = Row([asleep(60.0), *[away] * 20, AWAKE])
    async with running(time_skipping_env, row) as handle:
        assert await handle.result() is SnoozeState.WOKEN
    assert len(row.asked) == 22
