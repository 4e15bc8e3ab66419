"""One line to PostgreSQL on which this process hears that events were committed, shared by every step that waits for them."""

import asyncio
import contextlib

from store.event_wakeups import listen

BLIND_SECONDS = 1.0  # between two looks while the line is broken
IDLE_SECONDS = 15.0  # between two looks while nobody says anything: a wake-up may be missing


class EventLine:
    """Begins to listen with the first `wait`; `close` it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._heard = 0
        self._connected = False
        self._next: asyncio.Event = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def heard(self) -> int:
        """How often something was said. Read it before looking, and `wait` with it afterwards: nothing falls in between."""
        return self._heard

    async def wait(self, heard: int, seconds: float) -> None:
        """Until something was said after `heard`, for `seconds` at most, and never so long that a lost wake-up matters."""
        if self._task is None:
            self._task = asyncio.create_task(listen(self._url, self._say, self._see), name="event line")
        if self._heard != heard:
            return
        limit = min(seconds, IDLE_SECONDS if self._connected else BLIND_SECONDS)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._next.wait(), limit)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _say(self) -> None:
        self._heard += 1
        self._next.set()
        self._next = asyncio.Event()

    def _see(self, connected: bool) -> None:
        self._connected = connected
