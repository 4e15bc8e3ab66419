"""Wakes inboxes that were announced, each at most once in a while however many announcements come.

The first one wakes at once; what comes while the inbox rests wakes once more at the end of the rest, since the sync that was woken
may already have looked. Nothing is kept: dying loses a wake-up that the next poll makes up for.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

log = logging.getLogger("mailroom.api.webhooks")
REST_SECONDS = 2.0
AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Woken:
    """An inbox whose sync shall look now."""

    tenant_id: str
    inbox_id: str
    provider: str


class PushPokes:
    """`poke` starts or signals the sync and says whether Temporal took it. `sleep` rests so many seconds."""

    def __init__(
        self,
        poke: Callable[[str, str, str], Awaitable[bool]],
        *,
        rest_seconds: float = REST_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._poke = poke
        self._rest = rest_seconds
        self._sleep = sleep
        self._again: set[Woken] = set()
        self._running: dict[Woken, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    def wake(self, inbox: Woken) -> None:
        """Returns at once."""
        if inbox in self._running:
            self._again.add(inbox)
        else:
            self._running[inbox] = asyncio.create_task(self._run(inbox))

    async def quiet(self) -> None:
        """Until nobody rests any more."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    async def close(self) -> None:
        """End the rests; what they held back is found by polling."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, inbox: Woken) -> None:
        try:
            while True:
                self._again.discard(inbox)
                async with self._gate:
                    try:
                        await self._poke(inbox.tenant_id, inbox.inbox_id, inbox.provider)
                    except Exception as error:  # told by its type; the next poll looks anyway
                        log.warning("an announced inbox could not be woken (%s)", type(error).__name__)
                await self._sleep(self._rest)
                if inbox not in self._again:
                    return
        finally:
            self._again.discard(inbox)
            self._running.pop(inbox, None)
