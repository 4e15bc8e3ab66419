"""Step `inbound.react`: which new conversations await the decision about an automatic answer."""

import uuid

from temporalio import activity

from activities._edges import edges
from contracts.failpoints import Failpoint, reached
from contracts.inbound import InboundSteps, ReactReport
from contracts.refs import ConversationRef, InboxRef
from store.answerable import awaiting_answer
from store.unit_of_work import Database

AT_MOST = 10


class InboundReact(InboundSteps):
    """Names conversations; starting a workflow for each is the workflow's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="inbound.react")
    async def react(self, ref: InboxRef) -> ReactReport:
        """Reads only. Twice, it names the same conversations until their claims are written."""
        with edges():
            tenant_id, inbox_id = uuid.UUID(ref.tenant_id), uuid.UUID(ref.inbox_id)
            async with self._database.unit_of_work(tenant_id) as connection:
                found = await awaiting_answer(connection, tenant_id, inbox_id, limit=AT_MOST + 1)
            reached(Failpoint.REACT_FOUND)
            return ReactReport(
                conversations=tuple(ConversationRef(ref.tenant_id, str(i)) for i in found[:AT_MOST]),
                more=len(found) > AT_MOST,
            )
