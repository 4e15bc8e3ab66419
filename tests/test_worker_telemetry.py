"""The worker measures itself: failures by step and name, the lag of its loop, backlogs, deaths of parsers, its parts."""

import asyncio
import json
import time

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from contracts.inbound import FetchReport
from contracts.outbound import DeliverOutcome, DeliverReport
from telemetry import MetricsEndpoint
from tests.test_telemetry import fetch
from worker_telemetry import CountingFailures, WorkerTelemetry


class Step(ActivityInboundInterceptor):
    """Stands where the step itself would run."""

    def __init__(self, outcome: object) -> None:
        self.outcome = outcome

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


async def run(telemetry: WorkerTelemetry, outcome: object) -> None:
    counting = CountingFailures(telemetry).intercept_activity(Step(outcome))
    await ActivityEnvironment().run(counting.execute_activity, ExecuteActivityInput(print, [], None, {}))


async def test_failures_are_counted_by_step_and_name_and_nothing_else() -> None:
    telemetry = WorkerTelemetry()
    for failure in ("DatabaseUnavailable", "DatabaseUnavailable", "someone@example.com"):
        with pytest.raises(ApplicationError):
            await run(telemetry, ApplicationError("ada@example.com said no", type=failure))
    await run(telemetry, FetchReport(0, 0, 0, 0, 0, 0, "degraded", failure="Unreachable"))
    await run(telemetry, DeliverReport(DeliverOutcome.DEFERRED))
    await run(telemetry, DeliverReport(DeliverOutcome.SENT))
    text = telemetry.text().decode()
    counted = {line.split("failure=")[1].split('"')[1]: float(line.split()[-1]) for line in text.splitlines() if line.startswith("mailroom_step_failures_total{")}
    assert counted == {"DatabaseUnavailable": 2.0, "other": 1.0, "Unreachable": 1.0, "deferred": 1.0}
    assert "example.com" not in text


class NoTemporal:
    """A client whose service never answers in time."""

    namespace = "default"

    class workflow_service:  # noqa: N801
        @staticmethod
        async def describe_task_queue(*_: object, **__: object) -> None:
            await asyncio.sleep(60)


async def test_lag_turns_and_deaths_are_shown() -> None:
    telemetry = WorkerTelemetry()
    deaths = {"parser_died": 1}
    telemetry.start(NoTemporal(), ["ingest"], {"parser_deaths": lambda: deaths, "fetch": lambda: {"held": 3, "waiting": 9}})
    await asyncio.sleep(0.3)
    deaths["parser_died"] = 4
    time.sleep(0.6)  # noqa: ASYNC251 – the blocking call that the metric is for
    await asyncio.sleep(0.6)
    text = telemetry.text().decode()
    await telemetry.stop()
    assert 'mailroom_turns{state="waiting",work="fetch"} 9.0' in text
    assert 'mailroom_parser_deaths_total{reason="parser_died"} 4.0' in text
    slow = float(next(line for line in text.splitlines() if 'mailroom_loop_lag_seconds_bucket{le="0.25"}' in line).split()[-1])
    all_of_them = float(next(line for line in text.splitlines() if line.startswith("mailroom_loop_lag_seconds_count")).split()[-1])
    assert all_of_them - slow >= 1
    assert telemetry.beats()


async def test_ready_names_the_parts_and_a_deaf_loop_is_not_healthy() -> None:
    telemetry = WorkerTelemetry()
    telemetry.start(NoTemporal(), [], {})

    async def well() -> None:
        return None

    async def broken() -> None:
        raise OSError

    endpoint = MetricsEndpoint(
        "127.0.0.1", 0, sdk_port=1, healthy=telemetry.beats,
        ready=lambda: telemetry.ask({"postgresql": well, "s3": broken}), figures=telemetry.text,
    )
    endpoint.start()
    try:
        status, body = await asyncio.to_thread(fetch, endpoint.port, "/readyz")
        assert status == 503
        assert json.loads(body) == {"ok": False, "parts": {"postgresql": {"ok": True}, "s3": {"ok": False}}}
        assert "mailroom_loop_lag_seconds" in (await asyncio.to_thread(fetch, endpoint.port, "/metrics"))[1]
        assert (await asyncio.to_thread(fetch, endpoint.port, "/healthz"))[0] == 200
        telemetry._beat_at -= 3600
        telemetry._tasks[0].cancel()
        assert (await asyncio.to_thread(fetch, endpoint.port, "/healthz"))[0] == 503
    finally:
        await asyncio.to_thread(endpoint.stop)
        await telemetry.stop()
