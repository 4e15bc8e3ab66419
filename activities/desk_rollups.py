"""The desk's figures: what an event changed is added to the sums by the hour, so that no page of figures reads mail."""

import datetime as dt
import uuid
from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.desk import Followup
from rules.figures import figures_of
from store.event_log import LoggedEvent
from store.rollups import change_figures, count_mails, facts_of, note_backlog


class Rollups:
    """The last of the desk's reactors: it sees what the others made of the events. Run twice over the same events, it would count
    mails twice, which the cursor's transaction rules out; conversations come out the same however often they are looked at.
    """

    name = "figures"

    def __init__(self, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> None:
        self._clock = clock

    async def react(
        self, connection: AsyncConnection, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]
    ) -> Sequence[Followup]:
        await count_mails(connection, tenant_id, events)
        touched = {e.conversation_id for e in events if e.conversation_id is not None}
        if not touched:
            return ()
        facts = await facts_of(connection, tenant_id, touched)
        changed = [(f["id"], [tuple(one) for one in f["figures"] or ()], figures_of(f)) for f in facts]
        await change_figures(connection, tenant_id, changed)
        inboxes = {e.inbox_id for e in events if e.conversation_id is not None and e.inbox_id is not None}
        await note_backlog(connection, tenant_id, inboxes, now=self._clock())
        return ()
