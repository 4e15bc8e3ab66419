"""Asks a snoozed conversation's row whether it is due, and wakes it in the same transaction. If it dies, nothing was changed; run
twice, the second finds nothing asleep; late, it wakes what is still asleep and due.
"""

import datetime as dt
import uuid
from collections.abc import Callable

from temporalio import activity

from activities._edges import edges
from contracts.failpoints import Failpoint, reached
from contracts.refs import ConversationRef
from contracts.snooze import SnoozeLook, SnoozeState, SnoozeSteps
from store.snoozing import wake_if_due
from store.unit_of_work import Database


class Snoozing(SnoozeSteps):
    """`clock` gives aware instants."""

    def __init__(self, database: Database, *, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> None:
        self._database = database
        self._clock = clock

    @activity.defn(name="snooze.wake")
    async def wake(self, ref: ConversationRef) -> SnoozeLook:
        with edges():
            tenant_id, conversation_id = uuid.UUID(ref.tenant_id), uuid.UUID(ref.conversation_id)
            async with self._database.unit_of_work(tenant_id) as connection:
                sleep = await wake_if_due(connection, tenant_id, conversation_id, now=self._clock())
            if sleep.woken:
                reached(Failpoint.SNOOZE_WOKEN)
                return SnoozeLook(SnoozeState.WOKEN)
            if sleep.seconds is None:
                return SnoozeLook(SnoozeState.OVER)
            return SnoozeLook(SnoozeState.WAITING, sleep.seconds)
