"""The order and the times of sending, with steps that only play the row's part, on a server that skips time."""

import asyncio
import datetime as dt
import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from contracts import ids, queues
from contracts.outbound import (
    ComposeReport,
    CopyReport,
    DeliverOutcome,
    DeliverReport,
    OutboundSteps,
    SendEnd,
    SendPlan,
    SendState,
    SettleOrder,
    SettleReport,
    VerifyOutcome,
    VerifyReport,
)
from contracts.refs import MessageRef
from workflows.send_message import SendMessage

REF = MessageRef(str(uuid.UUID(int=1)), str(uuid.UUID(int=2)))
DUE, DOUBT = SendPlan(SendState.DUE), SendPlan(SendState.DOUBT)
SETTLED, BROKEN, ASKED = SendPlan(SendState.SENT), SendPlan(SendState.FAILED), SendPlan(SendState.UNKNOWN)
SENT = DeliverReport(DeliverOutcome.SENT, attempt=1, stage="dot")


@dataclass
class Row(OutboundSteps):
    """Plays the row: each step takes the next of its answers, the last one again and again, and notes the time."""

    plans: list[SendPlan]
    deliveries: list[DeliverReport | Exception] = field(default_factory=lambda: [SENT])
    looks: list[VerifyOutcome | Exception] = field(default_factory=lambda: [VerifyOutcome.NOT_FOUND])
    settlements: list[SettleReport] = field(default_factory=lambda: [SettleReport(DeliverOutcome.UNKNOWN)])
    composed: SendState = SendState.DUE
    calls: list[tuple[str, dt.datetime]] = field(default_factory=list)
    settled: list[SettleOrder] = field(default_factory=list)

    def note(self, name: str) -> None:
        self.calls.append((name, activity.info().scheduled_time))

    async def asked(self) -> None:
        """Until the first step was asked for."""
        async with asyncio.timeout(20):
            while not self.calls:  # noqa: ASYNC110 – a worker moves it
                await asyncio.sleep(0.01)

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def times(self, name: str) -> list[float]:
        """Seconds between the first step of that name and each of them."""
        at = [when for called, when in self.calls if called == name]
        return [(when - at[0]).total_seconds() for when in at]

    @activity.defn(name="outbound.plan")
    async def plan(self, ref: MessageRef) -> SendPlan:
        assert ref == REF
        self.note("plan")
        return self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]

    @activity.defn(name="outbound.compose")
    async def compose(self, ref: MessageRef) -> ComposeReport:
        self.note("compose")
        return ComposeReport(self.composed, 1000)

    @activity.defn(name="outbound.deliver")
    async def deliver(self, ref: MessageRef) -> DeliverReport:
        self.note("deliver")
        answer = self.deliveries.pop(0) if len(self.deliveries) > 1 else self.deliveries[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @activity.defn(name="outbound.verify")
    async def verify(self, ref: MessageRef) -> VerifyReport:
        self.note("verify")
        answer = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(answer, Exception):
            raise answer
        return VerifyReport(answer)

    @activity.defn(name="outbound.settle")
    async def settle(self, order: SettleOrder) -> SettleReport:
        self.note("settle")
        self.settled.append(order)
        return self.settlements.pop(0) if len(self.settlements) > 1 else self.settlements[0]

    @activity.defn(name="outbound.file_copy")
    async def file_copy(self, ref: MessageRef) -> CopyReport:
        self.note("file_copy")
        return CopyReport(filed=True)


@asynccontextmanager
async def running(env: WorkflowEnvironment, row: Row) -> AsyncIterator[WorkflowHandle[SendMessage, SendEnd]]:
    steps: dict[str, list[Callable[..., Any]]] = {
        queues.FLOW: [row.plan, row.settle],
        queues.SEND: [row.compose, row.deliver],
        queues.IMAP: [row.verify, row.file_copy],
    }
    async with AsyncExitStack() as stack:
        for queue, activities in steps.items():
            flows = [SendMessage] if queue == queues.FLOW else []
            await stack.enter_async_context(
                Worker(env.client, task_queue=queue, workflows=flows, activities=activities)
            )
        yield await env.client.start_workflow(
            SendMessage.run, REF, id=ids.send_message(REF.message_id), task_queue=queues.FLOW
        )


async def test_a_message_scheduled_three_days_ahead_leaves_then_and_is_filed(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    row = Row([SendPlan(SendState.WAITING, 3 * 86_400.0), DUE, SendPlan(SendState.SENT, copy_missing=True)])
    async with running(time_skipping_env, row) as handle:
        end = await handle.result()
    assert end == SendEnd(SendState.SENT, 1)
    assert row.names() == ["plan", "plan", "compose", "deliver", "plan", "file_copy"]
    assert row.times("plan")[1] == pytest.approx(3 * 86_400, abs=60)


@pytest.mark.parametrize("end", ["sent", "failed", "unknown", "cancelled", "gone"])
async def test_the_result_tells_how_it_ended(time_skipping_env: WorkflowEnvironment, end: str) -> None:
    async with running(time_skipping_env, Row([DUE, SendPlan(SendState(end))])) as handle:
        assert (await handle.result()) == SendEnd(SendState(end), 1)


async def test_cancelling_ends_the_wait_and_nothing_is_composed(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    row = Row([SendPlan(SendState.WAITING, 3600.0), SendPlan(SendState.CANCELLED)])
    async with running(time_skipping_env, row) as handle:
        await row.asked()
        await handle.signal(SendMessage.cancel)
        end = await handle.result()
    assert end.state is SendState.CANCELLED
    assert row.names() == ["plan", "plan"]
    assert row.times("plan")[1] < 60


async def test_a_signal_that_changes_nothing_goes_on_waiting(time_skipping_env: WorkflowEnvironment) -> None:
    waiting = SendPlan(SendState.WAITING, 600.0)
    row = Row([waiting, waiting, DUE, SETTLED])
    async with running(time_skipping_env, row) as handle:
        await row.asked()
        await handle.signal(SendMessage.poke)
        await handle.result()
    assert row.names().count("deliver") == 1


async def test_a_mail_put_off_is_tried_at_the_times_that_the_row_names(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    waits = [60.0, 120.0, 3600.0, *[3600.0] * 45]
    put_off: list[DeliverReport | Exception] = [
        DeliverReport(DeliverOutcome.DEFERRED, n, "rcpt", 451, wait) for n, wait in enumerate(waits, start=1)
    ]
    row = Row([*[DUE] * 49, SETTLED], deliveries=[*put_off, DeliverReport(DeliverOutcome.FAILED, 49)])
    async with running(time_skipping_env, row) as handle:
        assert (await handle.result()).attempts == 49
        length = (await handle.describe()).history_length
    at = row.times("deliver")
    assert len(at) == 49
    assert [b - a for a, b in itertools.pairwise(at)] == pytest.approx(waits, abs=30)
    assert at[-1] > 45 * 3600
    assert length < 2000


async def test_doubt_is_looked_into_on_the_schedule_and_then_put_to_a_person(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    row = Row([DUE, DOUBT, ASKED], deliveries=[DeliverReport(DeliverOutcome.UNKNOWN, 1, "dot")])
    async with running(time_skipping_env, row) as handle:
        assert (await handle.result()).state is SendState.UNKNOWN
    assert row.times("verify") == pytest.approx([0, 5, 15, 45, 120], abs=4)
    assert [o.outcome for o in row.settled] == [DeliverOutcome.UNKNOWN]
    began = row.calls[row.names().index("deliver")][1]
    settled = row.calls[row.names().index("settle")][1]
    assert (settled - began).total_seconds() < 300  # promise P2
    assert row.names().count("deliver") == 1


async def test_a_report_is_awaited_for_ten_minutes_before_a_person_is_asked(time_skipping_env: WorkflowEnvironment) -> None:
    row = Row([DOUBT, ASKED], looks=[VerifyOutcome.AWAITED] * 9)
    async with running(time_skipping_env, row) as handle:
        assert (await handle.result()).state is SendState.UNKNOWN
    assert row.times("verify") == pytest.approx([0, 5, 15, 45, 120, 300, 600], abs=4)
    assert [o.outcome for o in row.settled] == [DeliverOutcome.UNKNOWN]
    assert "deliver" not in row.names()


async def test_a_report_that_came_settles_it(time_skipping_env: WorkflowEnvironment) -> None:
    looks = [*[VerifyOutcome.AWAITED] * 5, VerifyOutcome.FOUND]
    row = Row([DOUBT, SETTLED], looks=looks, settlements=[SettleReport(DeliverOutcome.SENT)])
    async with running(time_skipping_env, row) as handle:
        await handle.result()
    assert [o.outcome for o in row.settled] == [DeliverOutcome.SENT]


async def test_found_in_sent_is_proof_and_a_mailbox_that_cannot_be_read_is_none(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    row = Row(
        [DOUBT, SendPlan(SendState.SENT, copy_missing=True)],
        looks=[
            VerifyOutcome.NOT_FOUND,
            ApplicationError("down", type="Unreachable"),
            VerifyOutcome.CANNOT_LOOK,
            VerifyOutcome.FOUND,
        ],
        settlements=[SettleReport(DeliverOutcome.SENT)],
    )
    async with running(time_skipping_env, row) as handle:
        await handle.result()
    assert row.names().count("verify") == 4
    assert [o.outcome for o in row.settled] == [DeliverOutcome.SENT]
    assert row.names()[-1] == "file_copy"
    assert "deliver" not in row.names()


async def test_an_inbox_that_wants_at_least_once_gets_another_round(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    row = Row([DOUBT, DUE, SETTLED], settlements=[SettleReport(DeliverOutcome.DEFERRED, again=True)])
    async with running(time_skipping_env, row) as handle:
        await handle.result()
    assert row.names()[-4:] == ["plan", "compose", "deliver", "plan"]


async def test_a_passing_failure_of_ours_asks_the_row_and_tries_again(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    row = Row(
        [DUE, DUE, DUE, SETTLED], deliveries=[*[ApplicationError("x", type="StorageUnavailable")] * 2, SENT]
    )
    async with running(time_skipping_env, row) as handle:
        await handle.result()
    assert row.settled == []
    first, second, third = row.times("deliver")
    assert second - first < 10
    assert 55 < third - second < 90


async def test_a_final_failure_of_ours_is_told_by_its_name(time_skipping_env: WorkflowEnvironment) -> None:
    row = Row(
        [DUE, BROKEN],
        deliveries=[ApplicationError("x", type="CredentialsUnreadable", non_retryable=True)],
        settlements=[SettleReport(DeliverOutcome.FAILED)],
    )
    async with running(time_skipping_env, row) as handle:
        await handle.result()
    assert [(o.outcome, o.failure) for o in row.settled] == [(DeliverOutcome.FAILED, "CredentialsUnreadable")]


async def test_our_failures_end_after_two_days_as_well(time_skipping_env: WorkflowEnvironment) -> None:
    class Ends(Row):
        @activity.defn(name="outbound.settle")
        async def settle(self, order: SettleOrder) -> SettleReport:
            self.plans = [BROKEN]
            return await super().settle(order)

    row = Ends([DUE], deliveries=[ApplicationError("x", type="StorageUnavailable")])
    async with running(time_skipping_env, row) as handle:
        await handle.result()
    assert 40 < row.names().count("deliver") < 70
    assert row.settled[0].failure == "StorageUnavailable"


async def test_the_copy_that_cannot_be_filed_sends_nothing_again(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    class NoSent(Row):
        @activity.defn(name="outbound.file_copy")
        async def file_copy(self, ref: MessageRef) -> CopyReport:
            self.note("file_copy")
            raise ApplicationError("full", type="Unreachable")

    row = NoSent([DUE, SendPlan(SendState.SENT, copy_missing=True)])
    async with running(time_skipping_env, row) as handle:
        assert (await handle.result()).state is SendState.SENT
    assert row.names().count("deliver") == 1
    assert row.names().count("file_copy") == 8


async def test_a_retry_does_not_wait_for_a_sent_folder_that_refuses(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    class NoSent(Row):
        @activity.defn(name="outbound.file_copy")
        async def file_copy(self, ref: MessageRef) -> CopyReport:
            self.note("file_copy")
            raise ApplicationError("full", type="Unreachable")

    partly = SendPlan(SendState.SENT, copy_missing=True)
    row = NoSent([DUE, partly, DUE, SETTLED])
    async with running(time_skipping_env, row) as handle:
        async with asyncio.timeout(20):
            while "file_copy" not in row.names():  # noqa: ASYNC110 – a worker moves it
                await asyncio.sleep(0.01)
        await handle.signal(SendMessage.poke)
        await handle.result()
    assert row.names().count("deliver") == 2
    assert row.times("plan")[-1] < 60


async def test_a_message_that_cannot_be_composed_is_not_delivered(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    row = Row([DUE, BROKEN], composed=SendState.FAILED)
    async with running(time_skipping_env, row) as handle:
        await handle.result()
    assert row.names() == ["plan", "compose", "plan"]


async def test_the_same_id_can_run_again_for_a_retry(time_skipping_env: WorkflowEnvironment) -> None:
    row = Row([DUE, SETTLED, DUE, SETTLED])
    async with running(time_skipping_env, row) as handle:
        await handle.result()
        again = await time_skipping_env.client.start_workflow(
            SendMessage.run, REF, id=handle.id, task_queue=queues.FLOW
        )
        await again.result()
    assert row.names().count("deliver") == 2
