"""Waits for a part only as long as the part lives: work that takes long is asked about, and given up when nobody answers.

Promises that a request to a part that hangs is answered within five seconds, while work that is merely slow may go on
(integrity T-12). What is given up is cancelled but not waited for: a driver may need seconds to let go of a dead server.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 2.5  # from then on a part that is waited for is asked whether it lives
PROBE_SECONDS = 1.5
REST_SECONDS = 2.0  # after a probe that failed, callers are told at once instead of each waiting it out

_abandoned: set[asyncio.Task[Any]] = set()


class GivenUp(Exception):
    """The part did not answer, not even when it was asked by itself. What was under way may still happen."""


async def bounded(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """The result of `work`, or TimeoutError after `seconds`, exactly then: the work is cancelled but not waited for."""
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        abandon(task)
        raise
    if not done:
        abandon(task)
        raise TimeoutError
    return task.result()


def abandon(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and let it end when it can. Its outcome interests nobody any more."""
    task.cancel()
    _abandoned.add(task)
    task.add_done_callback(_forget)


def _forget(task: "asyncio.Task[Any]") -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, so that the loop does not report it


class Patience:
    """One part, with the question that tells whether it lives. Many waiters share one question at a time."""

    def __init__(self, probe: Callable[[], Awaitable[None]]) -> None:
        self._probe = probe
        self._asking: asyncio.Task[bool] | None = None
        self._rest_until = 0.0

    @property
    def resting(self) -> bool:
        """A probe has just failed: calling the part is pointless for a moment."""
        return time.monotonic() < self._rest_until

    async def during(self, work: Coroutine[Any, Any, T], *, limit: float | None = None) -> T:
        """The result of `work`. Raises GivenUp when the part stops answering, TimeoutError after `limit` seconds."""
        if self.resting:
            work.close()
            raise GivenUp
        task = asyncio.create_task(work)
        ends = None if limit is None else time.monotonic() + limit
        try:
            while True:
                left = PATIENCE_SECONDS if ends is None else min(PATIENCE_SECONDS, ends - time.monotonic())
                done, _ = await asyncio.wait({task}, timeout=max(0.0, left))
                if done:
                    return task.result()
                if ends is not None and time.monotonic() >= ends:
                    raise TimeoutError
                if not await self.lives() and not task.done():
                    raise GivenUp
        finally:
            if not task.done():
                abandon(task)

    async def lives(self) -> bool:
        """Ask the part, for at most a second and a half."""
        if self._asking is None or self._asking.done():
            if self.resting:
                return False  # somebody has just asked
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> bool:
        try:
            await bounded(_call(self._probe), PROBE_SECONDS)
        except Exception:  # whatever way it fails in, it does not answer
            self._rest_until = time.monotonic() + REST_SECONDS
            return False
        self._rest_until = 0.0
        return True


async def _call(probe: Callable[[], Awaitable[None]]) -> None:
    await probe()
