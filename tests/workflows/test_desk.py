"""The desk turns for ever: what a turn reports is started once, a turn that fails is taken again, and histories end in time."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from contracts import ids, queues
from contracts.desk import DeskOrder, DeskRef, DeskReport, DeskSteps, Followup, FollowupKind
from workflows.desk import Desk

INBOX = str(uuid.UUID(int=7))


@workflow.defn(dynamic=True)
class AnyFlow:
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> None:
        await workflow.sleep(dt.timedelta(days=365))


@dataclass
class Counter(DeskSteps):
    reports: list[DeskReport | Exception]
    orders: list[DeskOrder] = field(default_factory=list)
    empty: asyncio.Event = field(default_factory=asyncio.Event)

    @activity.defn(name="desk.turn")
    async def turn(self, order: DeskOrder) -> DeskReport:
        self.orders.append(order)
        if not self.reports:
            self.empty.set()
            await asyncio.Event().wait()
        report = self.reports.pop(0)
        if isinstance(report, Exception):
            raise report
        return report


@asynccontextmanager
async def working(client: Client, counter: Counter) -> AsyncIterator[None]:
    async with (
        Worker(client, task_queue=queues.FLOW, workflows=[Desk, AnyFlow], workflow_runner=UnsandboxedWorkflowRunner()),
        Worker(client, task_queue=queues.DESK, activities=[counter.turn]),
    ):
        yield


async def test_what_has_to_follow_is_started_once_and_failures_are_repeated(time_skipping_env: WorkflowEnvironment) -> None:
    client, tenant = time_skipping_env.client, str(uuid.uuid4())
    mail, other = str(uuid.uuid4()), str(uuid.uuid4())
    first = DeskReport((Followup(FollowupKind.ANSWER, mail, INBOX),), 3)
    again = DeskReport((Followup(FollowupKind.ANSWER, mail, INBOX), Followup(FollowupKind.ANSWER, other, INBOX)), 2)
    counter = Counter([first, ConnectionError("away"), again, DeskReport()])
    async with working(client, counter):
        handle = await client.start_workflow(Desk.run, DeskRef(tenant), id=ids.desk(tenant), task_queue=queues.FLOW)
        await asyncio.wait_for(counter.empty.wait(), 60)
        for message in (mail, other):
            described = await client.get_workflow_handle(ids.auto_response(message)).describe()
            assert described.workflow_type == "AutoResponse"
        assert {order.tenant_id for order in counter.orders} == {tenant}
        await handle.terminate()
