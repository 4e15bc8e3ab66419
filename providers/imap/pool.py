"""Keeps a bounded number of signed-in IMAP connections for reuse, because signing in is slow and counted by providers.

A lease is exclusive. Connections are checked before reuse after a pause, closed when idle for long, and dropped when
the account's credentials changed. What is done with a connection is left to the lease holder.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from providers.egress import EgressPolicy
from providers.errors import ProviderError
from providers.imap.account import ImapAccount
from providers.imap.source import ImapSource

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Parked:
    source: ImapSource
    since: float


@dataclass(slots=True)
class _Seats:
    """The connections of one account key: how many may be open, and those waiting for their next use."""

    free: asyncio.Semaphore
    parked: list[_Parked] = field(default_factory=list)
    users: int = 0


class ImapPool:
    """`per_account` bounds connections of one key (Gmail allows 15 to all programs together), `total` all of them."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        per_account: int = 4,
        total: int = 200,
        idle_seconds: float = 120.0,
        check_after: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._per_account = per_account
        self._total = asyncio.Semaphore(total)
        self._limit = total
        self._open = 0
        self._idle_seconds = idle_seconds
        self._check_after = check_after
        self._clock = clock
        self._seats: dict[str, _Seats] = {}
        self._closed = False
        self._reaper: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def lease(self, key: str, account: ImapAccount) -> AsyncIterator[ImapSource]:
        """An open source for `account`, exclusively; waits while `per_account` or `total` are in use.

        `key` names the mailbox (an inbox id), not the credentials. A source that failed is closed on return. Raises
        what `ImapSource.open` raises.
        """
        if self._closed:
            raise RuntimeError("the IMAP pool is closed")
        seats = self._seats.setdefault(key, _Seats(asyncio.Semaphore(self._per_account)))
        seats.users += 1
        try:
            async with seats.free, self._total:
                source = await self._reuse(seats, account)
                if source is None:
                    source = await self._open_new(account)
                try:
                    yield source
                finally:
                    await self._park(seats, source)
        finally:
            seats.users -= 1
            if not seats.users and not seats.parked:
                self._seats.pop(key, None)

    async def close(self) -> None:
        """Close all waiting connections; leased ones are closed on their return."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
            await asyncio.gather(self._reaper, return_exceptions=True)
            self._reaper = None
        # One by one: what is not closed yet when this is cancelled can still be found by the next call.
        while (oldest := self._oldest()) is not None:
            await self._discard(oldest)

    @property
    def open_connections(self) -> int:
        """Open right now, leased or waiting."""
        return self._open

    async def _reuse(self, seats: _Seats, account: ImapAccount) -> ImapSource | None:
        while seats.parked:
            entry = seats.parked.pop()  # the most recently used is the likeliest to be alive
            if entry.source.account != account or not entry.source.healthy:
                await self._discard(entry.source)
                continue
            if self._clock() - entry.since > self._check_after:
                try:
                    async with asyncio.timeout(10):
                        await entry.source.check_alive()
                except (ProviderError, TimeoutError):
                    await self._discard(entry.source)
                    continue
                except BaseException:
                    await self._discard(entry.source)
                    raise
            return entry.source
        return None

    async def _open_new(self, account: ImapAccount) -> ImapSource:
        while self._open >= self._limit and (oldest := self._oldest()) is not None:
            await self._discard(oldest)
        source = ImapSource(account, self._policy)
        self._open += 1
        try:
            await source.open()
        except BaseException:
            self._open -= 1
            raise
        return source

    def _oldest(self) -> ImapSource | None:
        holders = [seats for seats in self._seats.values() if seats.parked]
        if not holders:
            return None
        return min(holders, key=lambda seats: seats.parked[0].since).parked.pop(0).source

    async def _park(self, seats: _Seats, source: ImapSource) -> None:
        if self._closed or not source.healthy:
            await self._discard(source)
            return
        seats.parked.append(_Parked(source, self._clock()))
        if self._reaper is None or self._reaper.done():
            self._reaper = asyncio.ensure_future(self._reap())

    async def _reap(self) -> None:
        """Close what waited too long; ends by itself when nothing waits any more."""
        while any(seats.parked for seats in self._seats.values()):
            await asyncio.sleep(max(self._idle_seconds / 4, 0.05))
            limit = self._clock() - self._idle_seconds
            for key, seats in list(self._seats.items()):
                # One by one, so that none is forgotten between the list and its end when the pool is closed meanwhile.
                while seats.parked and seats.parked[0].since <= limit:
                    await self._discard(seats.parked.pop(0).source)
                if not seats.users and not seats.parked and self._seats.get(key) is seats:
                    del self._seats[key]

    async def _discard(self, source: ImapSource) -> None:
        self._open -= 1
        try:
            await source.close()
        except (ProviderError, OSError):
            log.info("an IMAP connection was already gone when it was closed")
