"""Reads what a message's row asks for, and writes how an open end is closed: the quick steps of the send flow.

Both are one transaction. Running them twice reads the same, or finds the row settled and leaves it.
"""

import datetime as dt
import uuid
from collections.abc import Callable

from temporalio import activity

from activities._edges import edges
from activities.accounts import SES
from activities.outbound_compose import run_id
from contracts.failpoints import Failpoint, reached
from contracts.failures import SENTENCES
from contracts.outbound import DeliverOutcome, OutboundSteps, SendPlan, SendState, SettleOrder, SettleReport
from contracts.refs import MessageRef
from store.outbound_attempts import plan
from store.outbound_decisions import send_again_by_policy
from store.outbound_outcomes import End, settle_failed, settle_sent, settle_unknown
from store.send_policy import at_least_once
from store.unit_of_work import Database

UNKNOWN_SENTENCE = (
    "The server's answer was lost after the whole mail had been sent, and the mail was not found in Sent. It may have "
    "arrived. Ask the recipient, or look in your mail program, then say “it was sent” or “send again”."
)
# There is no Sent to look into: SES keeps no mailbox.
UNREPORTED_SENTENCE = (
    "Amazon SES's answer was lost after the whole mail had been sent, and SES reported nothing about it for ten minutes. It may "
    "have arrived. Ask the recipient, then say “it was sent” or “send again”."
)
AUTOMATIC_SENTENCE = "It is not known whether this automatic mail was sent. It is not sent again."


class OutboundRecord(OutboundSteps):
    """`clock` gives aware instants."""

    def __init__(
        self, database: Database, *, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    ) -> None:
        self._database = database
        self._clock = clock

    @activity.defn(name="outbound.plan")
    async def plan(self, ref: MessageRef) -> SendPlan:
        with edges():
            tenant_id, message_id = uuid.UUID(ref.tenant_id), uuid.UUID(ref.message_id)
            async with self._database.unit_of_work(tenant_id) as connection:
                found = await plan(connection, tenant_id=tenant_id, message_id=message_id, now=self._clock())
            return SendPlan(SendState(found.state.value), found.wait_seconds, found.kind, found.copy_missing)

    @activity.defn(name="outbound.settle")
    async def settle(self, order: SettleOrder) -> SettleReport:
        with edges():
            tenant_id, message_id = uuid.UUID(order.tenant_id), uuid.UUID(order.message_id)
            async with self._database.unit_of_work(tenant_id) as connection:
                key = {"tenant_id": tenant_id, "message_id": message_id}
                now, run = self._clock(), run_id()
                if order.outcome is DeliverOutcome.SENT:
                    end = await settle_sent(
                        connection, **key, proof="found in Sent", now=now, workflow_run=run
                    )
                elif order.outcome is DeliverOutcome.UNKNOWN:
                    choice = await at_least_once(connection, **key)
                    if choice and await send_again_by_policy(connection, **key, now=now):
                        return SettleReport(DeliverOutcome.DEFERRED, again=True)
                    current = await plan(connection, **key, now=now)
                    told = UNREPORTED_SENTENCE if current.provider == SES else UNKNOWN_SENTENCE
                    told = told if current.kind == "message" else AUTOMATIC_SENTENCE
                    end = await settle_unknown(connection, **key, sentence=told, now=now, workflow_run=run)
                else:
                    told = SENTENCES.get(order.failure or "", "It could not be sent. Try again later.")
                    end = await settle_failed(connection, **key, sentence=told, now=now, workflow_run=run)
                reached(Failpoint.SETTLE_BEFORE_COMMIT)
            reached(Failpoint.SETTLED)
            return SettleReport(DeliverOutcome(end.value), again=end is End.DEFERRED)
