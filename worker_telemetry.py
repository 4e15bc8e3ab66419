"""What the worker measures of itself: failures by step and name, lag of its event loop, Temporal's backlogs, parser children.

Part of the roof. Labels are steps, failure names, queues and reasons: words of our own, never an id or an address.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from contracts.failures import SENTENCES

BEAT_SECONDS = 0.25
DEAF_SECONDS = 15.0  # a loop that has not beaten for so long polls nothing
BACKLOG_SECONDS = 15.0
ASK_SECONDS = 3.0
KINDS = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}
# Buckets of what the SDK exports, so that the p99 of a healthy worker is told from that of a slow one.
LATENCY_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0]
HISTOGRAMS: Mapping[str, Sequence[float]] = {
    "mailroom_workflow_history_events": [50.0, 200.0, 1000.0, 4000.0, 8000.0, 20000.0, 51200.0],
    "temporal_activity_schedule_to_start_latency": LATENCY_BUCKETS,
    "temporal_workflow_task_schedule_to_start_latency": LATENCY_BUCKETS,
}


class WorkerTelemetry:
    """One for the process. `start` begins to beat and to ask for backlogs, `stop` ends it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._failures = Counter(
            "mailroom_step_failures_total",
            "Steps that failed or told of a failure, by its name",
            ("step", "failure"),
            registry=self.registry,
        )
        self._lag = Histogram(
            "mailroom_loop_lag_seconds",
            "How late the event loop wakes up",
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
            registry=self.registry,
        )
        self._backlog = Gauge(
            "mailroom_task_backlog",
            "Tasks that wait for a worker",
            ("queue", "kind"),
            registry=self.registry,
        )
        self._backlog_age = Gauge(
            "mailroom_task_backlog_age_seconds",
            "Age of the oldest of them",
            ("queue", "kind"),
            registry=self.registry,
        )
        self._turns = Gauge(
            "mailroom_turns", "Work under way and waiting for its tenant's turn", ("work", "state"), registry=self.registry
        )
        self._deaths = Counter(
            "mailroom_parser_deaths_total",
            "Parser processes that a mail has ended",
            ("reason",),
            registry=self.registry,
        )
        self._counted: dict[str, int] = {}
        self._beat_at = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, client: Client, queues: Sequence[str], sources: Mapping[str, Callable[[], Mapping[str, int]]]) -> None:
        """`sources`: `parser_deaths` counts by reason; every other name is work that is done by turns, with its counts
        `held` and `waiting`.
        """
        self._loop = asyncio.get_running_loop()
        self._tasks = [
            asyncio.create_task(self._beat(sources), name="heartbeat of the loop"),
            asyncio.create_task(self._ask_backlogs(client, queues), name="backlogs"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def beats(self) -> bool:
        """Whether the event loop still turns. From any thread."""
        return time.monotonic() - self._beat_at < DEAF_SECONDS

    def ask(self, parts: Mapping[str, Callable[[], Awaitable[None]]]) -> dict[str, bool]:
        """Whether each part answers, for `/readyz`; from another thread. A loop that does not turn answers for none."""
        if self._loop is None:
            return dict.fromkeys(parts, False)
        asked = asyncio.run_coroutine_threadsafe(_answering(parts), self._loop)
        try:
            return asked.result(ASK_SECONDS + 1)
        except TimeoutError:
            asked.cancel()
            return dict.fromkeys(parts, False)

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def failed(self, step: str, failure: str) -> None:
        self._failures.labels(step, failure if failure in SENTENCES or failure in OUTCOMES else "other").inc()

    async def _beat(self, sources: Mapping[str, Callable[[], Mapping[str, int]]]) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)
            self._beat_at = time.monotonic()
            self._lag.observe(max(0.0, self._beat_at - before - BEAT_SECONDS))
            for name, read in sources.items():
                if name == "parser_deaths":
                    self._count_deaths(read())
                else:
                    for state, count in read().items():
                        self._turns.labels(name, state).set(count)

    def _count_deaths(self, found: Mapping[str, int]) -> None:
        for reason, count in found.items():
            self._deaths.labels(reason).inc(count - self._counted.get(reason, 0))
            self._counted[reason] = count

    async def _ask_backlogs(self, client: Client, queues: Sequence[str]) -> None:
        while True:
            for queue in queues:
                for kind, number in KINDS.items():
                    with contextlib.suppress(RPCError):  # Temporal being away is told by `/readyz`
                        answer = await client.workflow_service.describe_task_queue(
                            DescribeTaskQueueRequest(
                                namespace=client.namespace,
                                task_queue=TaskQueue(name=queue),
                                task_queue_type=number,
                                report_stats=True,
                            ),
                            timeout=timedelta(seconds=ASK_SECONDS),
                        )
                        self._backlog.labels(queue, kind).set(answer.stats.approximate_backlog_count)
                        age = answer.stats.approximate_backlog_age.ToTimedelta().total_seconds()
                        self._backlog_age.labels(queue, kind).set(age)
            await asyncio.sleep(BACKLOG_SECONDS)


# What a submission or a sync tells in its report instead of failing.
OUTCOMES = frozenset({"deferred", "failed", "unknown"})


class CountingFailures(Interceptor):
    """Counts, for each step, the failures that it raises and those that its report tells. Give it to each worker."""

    def __init__(self, telemetry: WorkerTelemetry) -> None:
        self._telemetry = telemetry

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # the library's name
        return _Counting(next, self._telemetry)


class _Counting(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, telemetry: WorkerTelemetry) -> None:
        super().__init__(following)
        self._telemetry = telemetry

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        step = activity.info().activity_type
        try:
            report = await super().execute_activity(input)
        except ApplicationError as error:
            self._telemetry.failed(step, error.type or "other")
            raise
        told = getattr(report, "failure", None) or getattr(report, "outcome", None)
        if isinstance(told, str) and (told in SENTENCES or told in OUTCOMES):
            self._telemetry.failed(step, str(told))
        return report


async def _answering(parts: Mapping[str, Callable[[], Awaitable[None]]]) -> dict[str, bool]:
    async def answers(ping: Callable[[], Awaitable[None]]) -> bool:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await ping()
        except Exception:  # a part may fail in any way it likes: it is not ready
            return False
        return True

    found = await asyncio.gather(*(answers(ping) for ping in parts.values()))
    return dict(zip(parts, found, strict=True))
