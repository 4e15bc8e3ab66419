"""Steps of the inbound flow that only play their parts, and the workers that run them."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from contracts import queues
from contracts.backfill import BackfillProgress, BackfillSteps
from contracts.connect import ConnectCheck, ConnectFailure, ConnectReport, ConnectSteps, DiscoverReport
from contracts.inbound import (
    FetchOrder,
    FetchReport,
    InboundSteps,
    InboxPlan,
    IngestReport,
    ReactReport,
    WakeReason,
    WatchOrder,
    WatchReport,
)
from contracts.refs import ConversationRef, FolderRef, InboxRef
from workflows.backfill import Backfill
from workflows.connect_inbox import ConnectInbox
from workflows.inbox_sync import InboxSync

TENANT = str(uuid.UUID(int=1))
CONNECTED = InboxPlan(connected=True, paused=False, provider="imap", poll_seconds=300, max_syncs_per_hour=60)
QUIET = FetchReport(0, 0, 0, 0, 2, 0, "ok")

T = TypeVar("T")


@workflow.defn(name="AutoResponse")
class Answered:
    @workflow.run
    async def run(self, ref: ConversationRef) -> str:
        return ref.conversation_id


@dataclass
class Desk(InboundSteps):
    """Each step gives the next of its answers, the last one again and again, and notes the time."""

    plans: list[InboxPlan | Exception] = field(default_factory=lambda: [CONNECTED])
    fetches: list[FetchReport | Exception] = field(default_factory=lambda: [QUIET])
    ingests: list[IngestReport | Exception] = field(default_factory=lambda: [IngestReport(1, 0, 0, 0, 0)])
    reacts: list[ReactReport | Exception] = field(default_factory=lambda: [ReactReport((), more=False)])
    wakes: list[WakeReason] = field(default_factory=list)
    calls: list[tuple[str, dt.datetime]] = field(default_factory=list)
    orders: list[FetchOrder] = field(default_factory=list)
    let_go: int = 0

    def note(self, name: str) -> None:
        self.calls.append((name, activity.info().scheduled_time))

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def times(self, name: str) -> list[float]:
        at = [when for called, when in self.calls if called == name]
        return [(when - at[0]).total_seconds() for when in at]

    async def reached(self, name: str, times: int = 1) -> None:
        """Until the step was asked for so often."""
        async with asyncio.timeout(20):
            while self.names().count(name) < times:  # noqa: ASYNC110 – a worker moves it
                await asyncio.sleep(0.01)

    @activity.defn(name="inbound.open")
    async def open(self, ref: InboxRef) -> InboxPlan:
        self.note("open")
        return _next(self.plans)

    @activity.defn(name="inbound.fetch")
    async def fetch(self, order: FetchOrder) -> FetchReport:
        self.note("fetch")
        self.orders.append(order)
        return _next(self.fetches)

    @activity.defn(name="inbound.ingest")
    async def ingest(self, ref: InboxRef) -> IngestReport:
        self.note("ingest")
        return _next(self.ingests)

    @activity.defn(name="inbound.watch")
    async def watch(self, order: WatchOrder) -> WatchReport:
        self.note("watch")
        if self.wakes:
            return WatchReport(self.wakes.pop(0))
        try:
            while True:
                activity.heartbeat()
                await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            self.let_go += 1
            raise

    @activity.defn(name="inbound.react")
    async def react(self, ref: InboxRef) -> ReactReport:
        self.note("react")
        return _next(self.reacts)


@dataclass
class History(BackfillSteps):
    plans: list[BackfillProgress | Exception] = field(default_factory=list)
    steps: list[BackfillProgress | Exception] = field(default_factory=list)
    calls: list[tuple[str, dt.datetime]] = field(default_factory=list)

    @activity.defn(name="backfill.plan")
    async def plan(self, ref: FolderRef) -> BackfillProgress:
        self.calls.append(("plan", activity.info().scheduled_time))
        return _next(self.plans)

    @activity.defn(name="backfill.step")
    async def step(self, ref: FolderRef) -> BackfillProgress:
        self.calls.append(("step", activity.info().scheduled_time))
        return _next(self.steps)


@dataclass
class Doors(ConnectSteps):
    imap: str | None = None
    smtp: str | None = None
    discoveries: list[DiscoverReport | Exception] = field(
        default_factory=lambda: [DiscoverReport(6, (str(uuid.UUID(int=7)), str(uuid.UUID(int=8))), backfill=True)]
    )
    failed: list[str] = field(default_factory=list)

    @activity.defn(name="connect.verify")
    async def verify(self, ref: InboxRef) -> ConnectReport:
        return ConnectReport((ConnectCheck("imap", self.imap), ConnectCheck("smtp", self.smtp)))

    @activity.defn(name="connect.discover")
    async def discover(self, ref: InboxRef) -> DiscoverReport:
        return _next(self.discoveries)

    @activity.defn(name="connect.fail")
    async def fail(self, report: ConnectFailure) -> None:
        self.failed.append(report.failure)


def _next(answers: "list[T | Exception]") -> T:
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


@asynccontextmanager
async def workers(
    client: Client,
    desk: Desk | None = None,
    history: History | None = None,
    doors: Doors | None = None,
    *,
    runner: WorkflowRunner | None = None,
) -> AsyncIterator[None]:
    """Workers on all queues of the inbound flow."""
    desk, history, doors = desk or Desk(), history or History(), doors or Doors()
    steps: dict[str, list[Callable[..., Any]]] = {
        queues.FLOW: [desk.open, desk.react, doors.fail],
        queues.IMAP: [desk.fetch, doors.verify, doors.discover],
        queues.WATCH: [desk.watch],
        queues.INGEST: [desk.ingest],
        queues.BACKFILL: [history.plan, history.step],
    }
    async with AsyncExitStack() as stack:
        for queue, activities in steps.items():
            flows = [InboxSync, Backfill, ConnectInbox, Answered] if queue == queues.FLOW else []
            await stack.enter_async_context(
                Worker(
                    client,
                    task_queue=queue,
                    workflows=flows,
                    activities=activities,
                    workflow_runner=runner or SandboxedWorkflowRunner(),
                    default_heartbeat_throttle_interval=dt.timedelta(milliseconds=50),
                    max_heartbeat_throttle_interval=dt.timedelta(milliseconds=50),
                )
            )
        yield
