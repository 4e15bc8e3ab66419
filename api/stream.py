"""The live stream: one reader of the event log for the process, a bounded queue for each client, nothing lost or doubled.

The reader stands at a place P of the log and hands on what lies behind it. A client joins at P: what it lacks up to P is
read from the table, all later things come through its queue. Since the log is read below the oldest open transaction
only, everything up to P has been committed by then, so the two halves meet without a hole (integrity X-34, X-44).
"""

import asyncio
import contextlib
import datetime as dt
import logging
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from api.metrics import Metrics
from api.presence_board import PresenceBoard
from api.problems import Problem
from store.event_log import Cursor, LoggedEvent, head, read_after
from store.event_wakeups import anything_above, can_resume, listen
from store.presence import CHANNEL, Presence
from store.restores import current_era
from store.unit_of_work import Database

log = logging.getLogger("mailroom.api.stream")

QUEUE_MOST = 1000
CATCH_UP_MOST = 5000  # a client that lacks more than this loads its lists anew, which is cheaper for both
BATCH = 500
# Committed events wait behind an older open transaction, mostly for a moment: looked at soon, then less and less often.
PENDING_FIRST, PENDING_MOST = 0.005, 0.05
IDLE_SECONDS = 5.0  # in case a wake-up was lost
BLIND_SECONDS = 1.0  # while there are no wake-ups
TROUBLE_SECONDS = 1.0
OF_USER_MOST, OF_TENANT_MOST = 20, 200  # integrity X-34


@dataclass(eq=False, slots=True)
class Subscription:
    """One client's place in the stream. `overflowed` is set when it did not keep up: it must load again."""

    tenant_id: uuid.UUID
    caller: str
    joined_at: Cursor
    queue: asyncio.Queue[LoggedEvent | Presence] = field(default_factory=lambda: asyncio.Queue(QUEUE_MOST))
    overflowed: bool = False

    def offer(self, event: LoggedEvent) -> bool:
        """False the first time that the queue is full; from then on nothing is queued."""
        if self.overflowed:
            return True
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            self.overflowed = True
            return False
        return True

    def offer_passing(self, presence: Presence) -> None:
        """What is true for seconds: a client that does not keep up goes without."""
        if not self.overflowed and self.queue.qsize() < QUEUE_MOST // 2:
            self.queue.put_nowait(presence)


class EventStreams:
    """Owns the reader. `start` begins it, `close` ends it and every stream."""

    def __init__(self, database: Database, url: str, metrics: Metrics) -> None:
        self._database = database
        self._url = url
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()
        self._sighted = False
        self._place: Cursor | None = None
        self.era = 0  # how often the database was restored; places of another life of it mean nothing
        self._clients: set[Subscription] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self.presence = PresenceBoard()
        self.closing = asyncio.Event()

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(
                listen(self._url, self._wake.set, self._see, {CHANNEL: self._hear}), name="event wake-ups"
            ),
            asyncio.create_task(self._read_on(), name="event reader"),
        ]

    async def close(self) -> None:
        self.closing.set()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def check_room(self, tenant_id: uuid.UUID, caller: str) -> None:
        """Raises 429 over the caps, TimeoutError while the reader has no place in the log yet."""
        counts = Counter(c.caller for c in self._clients)
        if (
            counts[caller] >= OF_USER_MOST
            or sum(c.tenant_id == tenant_id for c in self._clients) >= OF_TENANT_MOST
        ):
            raise Problem(429, "Too many open event streams. Close some, then try again.", retry_after=10)
        await asyncio.wait_for(self._ready.wait(), 5)

    @contextlib.asynccontextmanager
    async def subscribe(self, tenant_id: uuid.UUID, caller: str) -> AsyncIterator[Subscription]:
        """Join at the reader's place."""
        await self._ready.wait()
        if self._place is None:
            raise RuntimeError("the reader is ready without a place")
        # No await between reading the place and joining: an event is on one side or on the other.
        subscription = Subscription(tenant_id, caller, self._place)
        self._clients.add(subscription)
        self._metrics.stream_clients.set(len(self._clients))
        try:
            yield subscription
        finally:
            self._clients.discard(subscription)
            self._metrics.stream_clients.set(len(self._clients))

    async def missed(self, subscription: Subscription, since: Cursor) -> AsyncIterator[LoggedEvent]:
        """What the tenant's log holds behind `since`, up to where the client joined. Raises TooFarBehind."""
        async with self._database.system_unit_of_work() as connection:
            if not await can_resume(connection, since):
                raise TooFarBehind
        given = 0
        while since < subscription.joined_at:
            async with self._database.system_unit_of_work() as connection:
                events = await read_after(connection, since, limit=BATCH, tenant_id=subscription.tenant_id)
            for event in events:
                if event.cursor > subscription.joined_at:
                    return
                given += 1
                if given > CATCH_UP_MOST:
                    raise TooFarBehind
                yield event
            if len(events) < BATCH:
                return
            since = events[-1].cursor

    def _hear(self, payload: str) -> None:
        """Somebody looks at a conversation, or writes: to whom it concerns, at once."""
        presence = self.presence.hear(payload)
        if presence is not None:
            for client in self._clients:
                if client.tenant_id == presence.tenant_id:
                    client.offer_passing(presence)

    def _see(self, sighted: bool) -> None:
        self._sighted = sighted

    async def _read_on(self) -> None:
        """Read for ever. An error keeps the place, so it only delays."""
        wait = PENDING_FIRST
        while True:
            try:
                pending = await self._read_some()
                self._ready.set()
            except (SQLAlchemyError, OSError) as error:
                log.warning("the event log cannot be read (%s); it is tried again", type(error).__name__)
                await asyncio.sleep(TROUBLE_SECONDS)
                continue
            wait = min(wait * 2, PENDING_MOST) if pending else PENDING_FIRST
            idle = IDLE_SECONDS if self._sighted else BLIND_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait if pending else idle)

    async def _read_some(self) -> bool:
        """Hand on everything that can be read now; True while more is committed but not yet below the line."""
        self._wake.clear()
        while True:
            async with self._database.system_unit_of_work() as connection:
                if self._place is None:
                    self.era = await current_era(connection)
                    self._place = await head(connection)
                events = await read_after(connection, self._place, limit=BATCH)
                pending = not events and await anything_above(connection, self._place)
            self._hand_on(events)
            if len(events) < BATCH:
                return pending or bool(events)

    def _hand_on(self, events: list[LoggedEvent]) -> None:
        """Without an await, so that no client can join in the middle."""
        for event in events:
            for client in self._clients:
                if client.tenant_id == event.tenant_id and not client.offer(event):
                    self._metrics.stream_overflows.inc()
            self._place = event.cursor
        if events:
            self._metrics.stream_events.inc(len(events))
            newest = events[-1].at
            self._metrics.events_lag.set(max(0.0, (dt.datetime.now(dt.UTC) - newest).total_seconds()))


class TooFarBehind(Exception):
    """The cursor cannot be resumed from: the client loads its lists anew."""
