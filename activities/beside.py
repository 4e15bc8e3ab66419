"""Work that goes on beside the work that feeds it: stored mail is ingested, and ingested mail made searchable, while the
next is fetched. Nothing is kept here that is not in the database: if it dies, what was left is found there again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self


class Beside:
    """Runs `work` again and again in a task of its own, as long as there was news since it last began.

    As a context: a normal end waits until everything told was worked on and raises what the work raised. When the block
    fails, work under way is finished first, unless the block was cancelled; the block's error is the one that is raised.
    """

    def __init__(self, work: Callable[[], Awaitable[object]], *, ahead: int | None = None) -> None:
        self._work = work
        self._ahead = ahead
        self._told = 0
        self._done = 0
        self._waiting = 0
        self._ending = False
        self._over = False
        self._news = asyncio.Event()
        self._progress = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def tell(self, amount: int = 0) -> None:
        """There is something to do, and so much of it, in a measure of the caller's. Returns at once."""
        self._told += 1
        self._waiting += amount
        self._news.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def took(self, amount: int) -> None:
        """So much of it is in work now: what the work says while it runs. What it does not say is found out at its end."""
        self._waiting = max(0, self._waiting - amount)
        self._progress.set()

    async def room(self) -> None:
        """Wait until no more than `ahead` of what was told waits to be worked on. Raises what the work raised."""
        while self._ahead is not None and self._waiting > self._ahead and not self._over:
            self._progress.clear()
            await self._progress.wait()
        if self._over and self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            while not (self._ending and self._done == self._told):
                await self._news.wait()
                self._news.clear()
                seen = self._told
                if seen > self._done:
                    await self._work()
                self._done = seen
                if seen == self._told:
                    self._waiting = 0
                self._progress.set()
        finally:
            self._over = True
            self._progress.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is None:
            return
        self._ending = True
        self._news.set()
        if error is None:
            try:
                await self._task
            except asyncio.CancelledError:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
                raise
            return
        if isinstance(error, asyncio.CancelledError):
            self._task.cancel()
        # What it raises besides is not told: the first error is on its way.
        await asyncio.gather(self._task, return_exceptions=True)
