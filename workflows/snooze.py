"""Wakes one snoozed conversation when its time has come: a durable timer, and the row that is asked again when it fires.

The row decides. A changed time, a new mail, a person or a lost Temporal database all lead to the same question, so it is
never woken early, late only by an outage, and once.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import queues, timing
    from contracts.refs import ConversationRef
    from contracts.search_attributes import TENANT_ID
    from contracts.snooze import SnoozeLook, SnoozeState, SnoozeSteps

LEAST = 0.05  # seconds; clocks of worker and server may differ by less than they can tell


@workflow.defn(name="Snooze")
class Snooze:
    """One run for each conversation. Signal `poke`: the row was changed, look at it."""

    def __init__(self) -> None:
        self._poked = False

    @workflow.signal
    def poke(self) -> None:
        self._poked = True

    @workflow.run
    async def run(self, ref: ConversationRef) -> SnoozeState:
        workflow.upsert_search_attributes([TENANT_ID.value_set(ref.tenant_id)])
        while True:
            self._poked = False
            look = await self._look(ref)
            if look.state is SnoozeState.WAITING:
                workflow.set_current_details(f"asleep for another {timedelta(seconds=round(look.wait_seconds))}")
                await self._sleep(timedelta(seconds=max(look.wait_seconds, LEAST)))
                if workflow.info().is_continue_as_new_suggested():
                    workflow.continue_as_new(ref)
            elif not self._poked:
                # Snoozed anew while this run was ending, it would find nobody: then the loop looks once more.
                workflow.set_current_details(look.state.value)
                return look.state

    async def _look(self, ref: ConversationRef) -> SnoozeLook:
        return await workflow.execute_activity_method(
            SnoozeSteps.wake,
            ref,
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.QUICK,
            retry_policy=timing.DATABASE_RETRY,
            summary="is it due",
        )

    async def _sleep(self, wait: timedelta) -> None:
        """Until then, or less when the row was changed."""
        try:
            await workflow.wait_condition(lambda: self._poked, timeout=wait, timeout_summary="until it wakes")
        except TimeoutError:
            return
