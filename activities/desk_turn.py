"""Step `desk.turn`: reacts to what happens on one tenant's desk, batch by batch, each in one transaction with the cursor.

Dying anywhere repeats the batch from nothing. Two at once (an attempt that was given up and its successor) take turns by the
cursor's lock. What had to follow a batch and was lost with its report is in the rows, where the sweep finds it.
"""

import asyncio
import datetime as dt
import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities._edges import edges, name_of
from activities.desk_reactor import NotPrepared, Preparing, Reactor
from activities.event_line import EventLine
from activities.heartbeat import heartbeats
from activities.until_stopping import until_stopping
from contracts.desk import DeskOrder, DeskReport, DeskSteps, Followup
from contracts.failpoints import Failpoint, reached
from store.desk_cursors import keep_failure, peek_events, take_events
from store.event_log import LoggedEvent
from store.unit_of_work import Database

log = logging.getLogger(__name__)

BATCH = 500
FOLLOWUPS_MOST = 200  # a report is an input of the workflow: it stays small
# Before looking again for what an open transaction hides, and at most after looking in vain again and again. While history is
# ingested something is hidden much of the time; each look is a lock and a commit.
HIDDEN_SECONDS, HIDDEN_MOST = 0.05, 0.4


@dataclass(frozen=True, slots=True)
class Turned:
    events: int
    followups: tuple[Followup, ...]
    failed: int
    more: bool


class DeskTurn(DeskSteps):
    """`reactors` are called in their order: what one writes to rows the next one sees; what it writes to the log comes round."""

    def __init__(self, database: Database, line: EventLine, reactors: Sequence[Reactor]) -> None:
        self._database = database
        self._line = line
        self._reactors = tuple(reactors)

    @activity.defn(name="desk.turn")
    async def turn(self, order: DeskOrder) -> DeskReport:
        tenant_id, ends = uuid.UUID(order.tenant_id), time.monotonic() + order.seconds
        events = failed = 0
        hidden = HIDDEN_SECONDS
        with edges():
            async with heartbeats():
                while True:
                    heard = self._line.heard
                    turned = await self.once(tenant_id)
                    events, failed = events + turned.events, failed + turned.failed
                    left = ends - time.monotonic()
                    if turned.followups or left <= 0:
                        return DeskReport(turned.followups, events, failed)
                    # A worker that stops ends the turn between two batches.
                    if turned.more and not turned.events:
                        await until_stopping(asyncio.sleep(hidden))
                        hidden = min(2 * hidden, HIDDEN_MOST)
                    else:
                        hidden = HIDDEN_SECONDS
                        await until_stopping(asyncio.sleep(0) if turned.more else self._line.wait(heard, left))

    async def once(self, tenant_id: uuid.UUID) -> Turned:
        """One batch. `more`: look again at once."""
        limit = await self._prepared(tenant_id)
        try:
            return await self._batch(tenant_id, limit)
        except NotPrepared:  # the first batch whose rules ask outside, or one whose mails changed since it was prepared
            return Turned(0, (), 0, True)

    async def _prepared(self, tenant_id: uuid.UUID) -> int:
        """How many events the next batch may have: those that were prepared, where a reactor has to."""
        preparing = [r for r in self._reactors if isinstance(r, Preparing) and r.prepares(tenant_id)]
        if not preparing:
            return BATCH
        async with self._database.unit_of_work(tenant_id) as connection:
            events = await peek_events(connection, tenant_id, limit=BATCH)
        for reactor in preparing:
            await reactor.prepare(self._database, tenant_id, events)
        return len(events) or BATCH

    async def _batch(self, tenant_id: uuid.UUID, limit: int) -> Turned:
        async with self._database.unit_of_work(tenant_id) as connection:
            events, more = await take_events(connection, tenant_id, limit=limit, now=dt.datetime.now(dt.UTC))
            followups: dict[Followup, None] = {}
            failed = 0
            for reactor in self._reactors if events else ():
                asked, given_up = await self._react(connection, tenant_id, reactor, events)
                followups |= dict.fromkeys(asked)
                failed += given_up
            reached(Failpoint.DESK_REACTED)
        # The rest of very many is left to the sweep, as if the report had been lost.
        return Turned(len(events), tuple(followups)[:FOLLOWUPS_MOST], failed, more)

    async def _react(
        self, connection: AsyncConnection, tenant_id: uuid.UUID, reactor: Reactor, events: Sequence[LoggedEvent]
    ) -> tuple[list[Followup], int]:
        """The whole batch, or, where that fails, each event for itself: one that nobody can react to must not stop the desk."""
        try:
            async with connection.begin_nested():
                return list(await reactor.react(connection, tenant_id, events)), 0
        except Exception as error:  # a defect of a reactor, or the weather
            _raise_weather(error)
        followups: list[Followup] = []
        failed = 0
        for event in events:
            try:
                async with connection.begin_nested():
                    followups += await reactor.react(connection, tenant_id, [event])
            except Exception as error:  # as above
                _raise_weather(error)
                failed += 1
                kind = type(error).__name__
                about = {"reactor": reactor.name, "event": event.type, "kind": kind}
                log.error("a reaction to an event failed", extra=about)  # noqa: TRY400 - the error's text may quote mail
                await keep_failure(
                    connection, tenant_id, event_id=event.cursor.id, reactor=reactor.name, error=kind
                )
        return followups, failed


def _raise_weather(error: Exception) -> None:
    """What passes by itself (the database is away, a deadlock, something not prepared) is not the event's fault: the batch is repeated."""
    if isinstance(error, NotPrepared) or name_of(error) is not None or (isinstance(error, SQLAlchemyError) and getattr(error, "connection_invalidated", False)):
        raise error
