"""The sweep starts each missing workflow once, leaves the running ones alone, and remembers when it last saw everything."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from temporalio import activity, workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
)
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from contracts import ids, queues
from contracts.sweep import (
    SweepFindings,
    SweepFound,
    SweepKind,
    SweepQuestion,
    SweepState,
    SweepSteps,
    TidyReport,
)
from workflows.sweep import Sweep

TENANT = str(uuid.UUID(int=9))


def ids_of(count: int, first: int = 1) -> list[str]:
    return [str(uuid.UUID(int=n)) for n in range(first, first + count)]


@workflow.defn(dynamic=True)
class AnyFlow:
    """Stands for every flow that the sweep starts: runs until it is told to end."""

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> None:
        await workflow.sleep(dt.timedelta(days=365))


@dataclass
class Rows(SweepSteps):
    rows: dict[SweepKind, list[str]]
    asked: list[SweepQuestion] = field(default_factory=list)
    tidied: int = 0
    tidy_fails: bool = False

    @activity.defn(name="sweep.find")
    async def find(self, question: SweepQuestion) -> SweepFindings:
        self.asked.append(question)
        rest = [i for i in self.rows.get(question.kind, []) if i > question.after]
        page = rest[:10]
        return SweepFindings(
            tuple(SweepFound(TENANT, i, str(uuid.UUID(int=7))) for i in page),
            page[-1] if len(page) == 10 else None,
        )

    @activity.defn(name="sweep.tidy")
    async def tidy(self) -> TidyReport:
        self.tidied += 1
        if self.tidy_fails:
            raise ApplicationError("x")
        return TidyReport(0, 0, 0, 0, 0, 0)


@asynccontextmanager
async def working(client: Client, rows: Rows) -> AsyncIterator[None]:
    async with Worker(
        client,
        task_queue=queues.FLOW,
        workflows=[Sweep, AnyFlow],
        activities=[rows.find, rows.tidy],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield


async def test_every_kind_is_started_under_its_own_id_and_only_once(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    client = time_skipping_env.client
    rows = Rows({kind: ids_of(1, first) for first, kind in enumerate(SweepKind, start=1)})
    async with working(client, rows):
        first = await client.execute_workflow(Sweep.run, id="sweep-1", task_queue=queues.FLOW)
        second = await client.execute_workflow(Sweep.run, id="sweep-2", task_queue=queues.FLOW)
        assert (first.started, second.started) == (len(SweepKind), 0)
        send, inbox, connect, folder, conversation, reingest, domain, watched = (ids_of(1, n)[0] for n in range(1, 9))
        # A desk belongs to its tenant, whatever row named it.
        for workflow_id, name in (
            (ids.send_message(send), "SendMessage"),
            (ids.inbox_sync(inbox), "InboxSync"),
            (ids.connect_inbox(connect), "ConnectInbox"),
            (ids.backfill(str(uuid.UUID(int=7)), folder), "Backfill"),
            (ids.auto_response(conversation), "AutoResponse"),
            (ids.reingest(reingest), "Reingest"),
            (ids.check_domain(domain), "CheckDomain"),
            (ids.watch_renewal(watched), "WatchRenewal"),
            (ids.desk(TENANT), "Desk"),
            (ids.snooze(ids_of(1, 10)[0]), "Snooze"),
            (ids.sla_timer(TENANT), "SlaTimer"),
        ):
            described = await client.get_workflow_handle(workflow_id).describe()
            assert described.workflow_type == name
    assert rows.tidied == 2


async def test_pages_are_walked_to_their_end(time_skipping_env: WorkflowEnvironment) -> None:
    client = time_skipping_env.client
    rows = Rows({SweepKind.SENDS: ids_of(25)})
    async with working(client, rows):
        state = await client.execute_workflow(Sweep.run, id="sweep-3", task_queue=queues.FLOW)
    assert state.started == 25
    assert [q.after for q in rows.asked if q.kind is SweepKind.SENDS] == ["", ids_of(25)[9], ids_of(25)[19]]


async def test_tidying_that_fails_does_not_stop_the_starting(time_skipping_env: WorkflowEnvironment) -> None:
    client = time_skipping_env.client
    rows = Rows({SweepKind.SENDS: ids_of(1)}, tidy_fails=True)
    async with working(client, rows):
        state = await client.execute_workflow(Sweep.run, id="sweep-4", task_queue=queues.FLOW)
    assert state.started == 1


async def test_the_first_run_of_a_schedule_looks_at_everything_and_the_next_does_not(
    temporal_client: Client,
) -> None:
    rows = Rows({})
    queue = f"sweep-{uuid.uuid4()}"

    async with (
        Worker(
            temporal_client,
            task_queue=queue,
            workflows=[Sweep],
            activities=[],
        ),
        Worker(temporal_client, task_queue=queues.FLOW, activities=[rows.find, rows.tidy]),
    ):
        schedule = await temporal_client.create_schedule(
            f"schedule-{queue}",
            Schedule(
                action=ScheduleActionStartWorkflow("Sweep", id=f"swept-{queue}", task_queue=queue),
                spec=ScheduleSpec(),
            ),
        )
        try:
            results: list[SweepState] = []
            for turn in range(1, 3):
                await schedule.trigger()
                while (await schedule.describe()).info.num_actions < turn:  # noqa: ASYNC110 – the server acts
                    await asyncio.sleep(0.05)
                ran = (await schedule.describe()).info.recent_actions[-1].action
                assert isinstance(ran, ScheduleActionExecutionStartWorkflow)
                handle = temporal_client.get_workflow_handle(
                    ran.workflow_id,
                    run_id=ran.first_execution_run_id,
                    result_type=SweepState,
                )
                results.append(await handle.result())
        finally:
            await schedule.delete()
    full = [q.full for q in rows.asked]
    assert full == [True] * len(SweepKind) + [False] * len(SweepKind)
    assert results[0].full_at == results[1].full_at > 0
