"""The desk's reaction that keeps saved views and counters up: members of what changed, a batch of a new view, sums of differences."""

import logging
import uuid
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.desk import Followup
from store.box_counts import fold_counts, mend_counts
from store.event_log import LoggedEvent, NewEvent, append_events
from store.view_members import keep_up_views, mend_view
from store.views import note_drift, views_of_tenant

log = logging.getLogger(__name__)

CHANGED = "counts.changed"  # tells clients to read their counters again; once for a turn
FILLING = "view.filling"  # how far a new view is; as it comes round the next batch is filled
CHECK = "counts.check"  # once a night: compare all counters, then every view's members, one in a turn
CHECK_VIEW = "view.check"


class Views:
    """Reads what triggers wrote down, not the events: those only bring the desk here. A turn that dies is undone whole. One that
    runs late changes nothing for readers, who add what waits for it.
    """

    name = "views"

    async def react(
        self, connection: AsyncConnection, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]
    ) -> Sequence[Followup]:
        told = {(uuid.UUID(e.payload["view_id"]), e.payload["revision"]) for e in events if e.type == FILLING}
        kept = await keep_up_views(connection, tenant_id, told=told)
        news = [
            NewEvent(
                FILLING,
                tenant_id,
                payload={"view_id": str(p.view_id), "revision": p.revision, "done": p.done, "total": p.total},
            )
            for p in kept.progress
        ]
        for event in events:
            if event.type in (CHECK, CHECK_VIEW):
                news += await self._check(connection, tenant_id, event)
        if await fold_counts(connection, tenant_id) or kept.more:
            news.append(NewEvent(CHANGED, tenant_id))
        await append_events(connection, news)
        return ()

    async def _check(self, connection: AsyncConnection, tenant_id: uuid.UUID, event: LoggedEvent) -> list[NewEvent]:
        """Compare, set right, and say how much was wrong; then ask for the next view, so that no turn is long."""
        if event.type == CHECK:
            drift = await mend_counts(connection, tenant_id)
            await note_drift(connection, tenant_id, drift.off, begins=True)
            if drift.boxes:
                log.warning("counters were wrong and are set right", extra={"boxes": drift.boxes, "off": drift.off})
        last = uuid.UUID(event.payload["view_id"]) if event.type == CHECK_VIEW else uuid.UUID(int=0)
        following = next((v for v in await views_of_tenant(connection, tenant_id) if v.id > last), None)
        if following is None:
            return []
        if following.ready:
            wrong = await mend_view(connection, tenant_id, following)
            await note_drift(connection, tenant_id, wrong, begins=False)
            if wrong:
                log.warning("members of a view were wrong and are set right", extra={"members": wrong})
        return [NewEvent(CHECK_VIEW, tenant_id, payload={"view_id": str(following.id)})]
