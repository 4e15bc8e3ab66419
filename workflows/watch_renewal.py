"""Renews the announcements of one inbox, because they are due. Its row says when they are due again."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import queues, timing
    from contracts.refs import InboxRef
    from contracts.search_attributes import INBOX_ID, TENANT_ID
    from contracts.watch_renewal import WatchOrder, WatchOutcome, WatchRenewalSteps

GIVEN_UP = timedelta(minutes=10)  # the sweep starts it again, since the row stays due


@workflow.defn(name="WatchRenewal")
class WatchRenewal:
    """One run for each inbox at a time. Run twice, it asks twice."""

    @workflow.run
    async def run(self, ref: InboxRef) -> WatchOutcome:
        workflow.upsert_search_attributes([TENANT_ID.value_set(ref.tenant_id), INBOX_ID.value_set(ref.inbox_id)])
        outcome = await workflow.execute_activity_method(
            WatchRenewalSteps.renew,
            WatchOrder(ref.tenant_id, ref.inbox_id, round(workflow.random().random(), 6)),
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.NETWORK,
            heartbeat_timeout=timing.HEARTBEAT,
            schedule_to_close_timeout=GIVEN_UP,
            retry_policy=timing.DATABASE_RETRY,
            summary="ask for announcements",
        )
        workflow.set_current_details(f"**{outcome.state}** {outcome.reason}".strip())
        return outcome
