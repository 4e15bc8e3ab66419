"""A step that waits for hours lets go when its worker stops, so that another worker's attempt goes on at once."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

T = TypeVar("T")


async def until_stopping(waiting: Coroutine[Any, Any, T]) -> T:
    """What `waiting` gives. When the worker stops first, it is cancelled and the step fails to be tried elsewhere."""
    watching = asyncio.create_task(waiting)
    stopping = asyncio.create_task(activity.wait_for_worker_shutdown())
    try:
        await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            return watching.result()
        raise ApplicationError(
            "The worker is stopping; another one goes on.",
            type="WorkerStopping",
            category=ApplicationErrorCategory.BENIGN,
        )
    finally:
        watching.cancel()
        stopping.cancel()
        await asyncio.gather(watching, stopping, return_exceptions=True)
