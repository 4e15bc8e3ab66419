"""The desk's last reactor: writes what endpoints asked to be told of the event log, in the transaction of the desk's cursor.

So nothing is lost and nothing written twice, whoever dies; its own events (`webhook.…`) cannot be asked for. Late, it tells
late; the order is that of the log.
"""

import uuid
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.desk import Followup, FollowupKind
from rules.webhooks import EVENTS
from store.event_log import LoggedEvent
from store.webhook_deliveries import queue_events

ASKED_FOR = frozenset(EVENTS)


class DeskWebhooks:
    name = "webhooks"

    async def react(
        self, connection: AsyncConnection, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]
    ) -> Sequence[Followup]:
        """The endpoints that have something to do now. One that is to be asked later has a run that waits, or the sweep's."""
        told = [e for e in events if e.type in ASKED_FOR]
        if not told:
            return ()
        due = await queue_events(connection, tenant_id, told)
        return [Followup(FollowupKind.WEBHOOK, str(endpoint)) for endpoint in due]
