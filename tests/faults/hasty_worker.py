"""The worker with short patience: the same program, its waits cut to seconds, so that faults play out in a test's time.

`python -m tests.faults.hasty_worker`. Only durations differ; every order of steps and every promise is the product's. With
`FAULTS_DEAF=1` its steps do not hear that they are cancelled, so that nothing but the fences in the rows keeps a step that was
given up from writing: Temporal's client cancels an overslept step within milliseconds, which would hide a missing fence.
"""

import asyncio
import dataclasses
import os
import sys
from datetime import timedelta
from typing import Any

import temporalio.worker

from contracts import timing
from tests.faults.haste import HEARTBEAT_SECONDS, VERIFY_AFTER

if "pytest" in sys.modules:
    raise ImportError("this is a program: importing it would shorten the waits of the tests themselves")


def hurry() -> None:
    """Shorten the constants before anything reads them."""
    timing.HEARTBEAT = timedelta(seconds=HEARTBEAT_SECONDS)
    timing.QUICK = timedelta(seconds=6)
    timing.VERIFY_AFTER = VERIFY_AFTER  # type: ignore[assignment]
    timing.DEFERRED_FIRST = timedelta(seconds=2)
    timing.DEFERRED_LAST = timedelta(seconds=8)
    for name in ("NETWORK_RETRY", "DATABASE_RETRY"):
        patient = getattr(timing, name)
        setattr(timing, name, dataclasses.replace(patient, maximum_interval=timedelta(seconds=4)))


class Deaf(temporalio.worker.Interceptor):
    """Lets every step go on to its end, whatever it is told."""

    def intercept_activity(
        self, next: temporalio.worker.ActivityInboundInterceptor  # noqa: A002 - the library's name
    ) -> temporalio.worker.ActivityInboundInterceptor:
        return _DeafStep(next)


class _DeafStep(temporalio.worker.ActivityInboundInterceptor):
    async def execute_activity(self, input: temporalio.worker.ExecuteActivityInput) -> Any:  # noqa: A002
        step = asyncio.ensure_future(self.next.execute_activity(input))
        while not step.done():
            try:
                await asyncio.shield(step)
            except asyncio.CancelledError:
                await asyncio.sleep(0)
        return step.result()


def deaf_worker(*given: Any, **named: Any) -> temporalio.worker.Worker:
    return temporalio.worker.Worker(*given, **{**named, "interceptors": [*named.get("interceptors", ()), Deaf()]})


hurry()

import worker  # noqa: E402 - after the constants have changed

worker.SWEEP_EVERY = timedelta(seconds=5)

if os.environ.get("FAULTS_DEAF"):
    worker.Worker = deaf_worker  # type: ignore[assignment,misc]

if __name__ == "__main__":
    worker.main()
