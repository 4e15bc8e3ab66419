"""Goes through every tenant's retention policy, once a day by its schedule, in steps of about half a minute.

The rows are the record: a run that was cut short is simply begun again, by the schedule or by a person, and finds what is
left. Two runs at once take turns at rows and at objects.
"""

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from contracts import queues, timing
    from contracts.retention import (
        RetentionOrder,
        RetentionProgress,
        RetentionQuestion,
        RetentionState,
        RetentionSteps,
        RetentionTenants,
    )

STEPS_A_RUN = 400


@workflow.defn(name="Retention")
class Retention:
    def __init__(self) -> None:
        self._steps = 0

    @workflow.run
    async def run(self, state: RetentionState | None = None) -> RetentionState:
        """`state` comes only from continuing as new; what it answers is what the whole night came to."""
        state = state or RetentionState()
        while True:
            page = await self._tenants(state.after)
            if not page.tenants:
                return state
            for tenant_id in page.tenants:
                removed = await self._tenant(tenant_id)
                state = RetentionState(tenant_id, state.tenants + 1, state.removed + removed)
                workflow.set_current_details(f"{state.tenants} tenants, {state.removed} messages removed")
                if self._steps >= STEPS_A_RUN or workflow.info().is_continue_as_new_suggested():
                    workflow.continue_as_new(state)

    async def _tenant(self, tenant_id: str) -> int:
        """How many messages went. A tenant whose step fails for good is left for the next night; the others go on."""
        order, removed = RetentionOrder(tenant_id), 0
        while True:
            try:
                progress = await self._step(order)
            except ActivityError:
                workflow.logger.warning("the policy of a tenant could not be worked through; the next night tries again")
                return removed
            removed += progress.messages
            if progress.done:
                return removed
            order = RetentionOrder(tenant_id, progress.rows_done)

    async def _tenants(self, after: str) -> RetentionTenants:
        self._steps += 1
        return await workflow.execute_activity_method(
            RetentionSteps.tenants,
            RetentionQuestion(after),
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.QUICK,
            retry_policy=timing.DATABASE_RETRY,
            summary="whose policy is next",
        )

    async def _step(self, order: RetentionOrder) -> RetentionProgress:
        self._steps += 1
        return await workflow.execute_activity_method(
            RetentionSteps.step,
            order,
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.BULK,
            heartbeat_timeout=timing.HEARTBEAT,
            retry_policy=timing.DATABASE_RETRY,
            summary="octets nobody names" if order.rows_done else "what the policy says",
        )
