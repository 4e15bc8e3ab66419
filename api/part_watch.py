"""Looks every few seconds whether PostgreSQL, Temporal and S3 answer, for `/readyz` and for the banner of the web client.

A part counts as away when it has failed two looks in a row, so that one slow answer alarms nobody. Reads only.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from api.patience import bounded

log = logging.getLogger("mailroom.api.parts")

PART_SECONDS = 2.0
EVERY_SECONDS = 5.0
AGAIN_SECONDS = 1.0  # while a part does not answer


@dataclass(frozen=True, slots=True)
class PartLook:
    """`ms` until the answer, or until it was given up; `detail` is a kind of error, never its text."""

    ok: bool
    ms: float
    detail: str = ""


class PartWatch:
    """`pings` by the name of the part; each may fail in any way it likes. `start` begins looking, `close` ends it."""

    def __init__(self, pings: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
        self._pings = dict(pings)
        self._failed: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None
        self.away: tuple[str, ...] = ()

    @property
    def states(self) -> dict[str, bool]:
        """By part: does it answer?"""
        return {name: name not in self.away for name in self._pings}

    def start(self) -> None:
        self._task = asyncio.create_task(self._look_on(), name="part watch")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def look(self) -> dict[str, PartLook]:
        """Ask every part at once, for two seconds each."""
        found = await asyncio.gather(*(self._ask(ping) for ping in self._pings.values()))
        looked = dict(zip(self._pings, found, strict=True))
        self._note(frozenset(name for name, part in looked.items() if not part.ok))
        return looked

    async def _look_on(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(AGAIN_SECONDS if self._failed else EVERY_SECONDS)

    def _note(self, failed: frozenset[str]) -> None:
        away = tuple(name for name in self._pings if name in failed and name in self._failed)
        self._failed = failed
        for name in set(away) - set(self.away):
            log.warning("%s does not answer", name)
        for name in set(self.away) - set(away):
            log.warning("%s answers again", name)
        self.away = away

    @staticmethod
    async def _ask(ping: Callable[[], Awaitable[None]]) -> PartLook:
        began = time.perf_counter()
        detail = ""

        async def ask() -> None:
            await ping()

        try:
            await bounded(ask(), PART_SECONDS)
        except TimeoutError:
            detail = f"no answer within {PART_SECONDS:.0f} s"
        except Exception as error:  # a part may fail in any way it likes: it is not ready
            detail = type(error).__name__
        return PartLook(not detail, round((time.perf_counter() - began) * 1000, 1), detail)
