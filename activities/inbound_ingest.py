"""Step `inbound.ingest`: stored live mail becomes messages in conversations, with their events."""

import uuid

from temporalio import activity

from activities._edges import edges, failure
from activities.heartbeat import heartbeats
from activities.ingestion import Ingestion, live_lane
from contracts.inbound import InboundSteps, IngestReport
from contracts.refs import InboxRef
from store.inbox_state import take_lease
from store.ledger import count_pending
from store.unit_of_work import Database

SECONDS = 45.0  # a step that takes long is asked for again by its `remaining`


class InboundIngest(InboundSteps):
    """Shares `ingestion` (and with it the parser children) with the backfill."""

    def __init__(self, database: Database, ingestion: Ingestion) -> None:
        self._database = database
        self._ingestion = ingestion

    @activity.defn(name="inbound.ingest")
    async def ingest(self, ref: InboxRef) -> IngestReport:
        """Runs under a new lease epoch. If it dies, what was settled stays settled and the rest still waits; mails that
        were being read have one attempt less.
        """
        with edges():
            tenant_id, inbox_id = uuid.UUID(ref.tenant_id), uuid.UUID(ref.inbox_id)
            async with self._database.unit_of_work(tenant_id) as connection:
                lease = await take_lease(connection, tenant_id, inbox_id)
            if lease is None:
                raise failure("NotFound")
            async with heartbeats():
                total = await self._ingestion.drain(live_lane(lease), seconds=SECONDS)
            async with self._database.unit_of_work(tenant_id) as connection:
                remaining = await count_pending(connection, tenant_id, inbox_id, historical=False)
            return IngestReport(
                ingested=total.ingested,
                skipped=total.skipped,
                quarantined=total.quarantined,
                remaining=remaining,
                answerable=total.answerable,
            )
