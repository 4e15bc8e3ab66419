"""Beats for a step that may pass ten seconds, so that a dead worker is noticed soon and a cancellation arrives.

The beat says only that the event loop lives; how far the work has come is recorded in PostgreSQL.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

DEFAULT_SECONDS = 10.0


@asynccontextmanager
async def heartbeats() -> AsyncIterator[None]:
    """Beat at a third of the step's heartbeat limit for as long as the block runs. Does nothing without a limit."""
    limit = activity.info().heartbeat_timeout
    every = max(limit.total_seconds() / 3, 0.05) if limit else DEFAULT_SECONDS
    beating = asyncio.create_task(_beat(every))
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def _beat(every: float) -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(every)
