"""Changes many conversations slice by slice until the row wants nothing more; started again, it takes the change back.

The row is the record: the signal only makes this look at it once more before it ends. With Temporal wiped, the sweep starts it.
"""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts import queues, timing
    from contracts.bulk import BulkProgress, BulkRef, BulkSteps
    from contracts.search_attributes import TENANT_ID

STEPS_A_RUN = 400


@workflow.defn(name="Bulk")
class Bulk:
    """Signal `poke` says that the row was changed."""

    def __init__(self) -> None:
        self._looked = False
        self._steps = 0

    @workflow.signal
    def poke(self) -> None:
        self._looked = False

    @workflow.run
    async def run(self, ref: BulkRef) -> BulkProgress:
        workflow.upsert_search_attributes([TENANT_ID.value_set(ref.tenant_id)])
        while True:
            if workflow.info().is_continue_as_new_suggested() or self._steps >= STEPS_A_RUN:
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(ref)
            self._looked = True
            self._steps += 1
            try:
                progress = await self._step(ref)
            except ActivityError as error:
                if isinstance(error.cause, ApplicationError) and error.cause.type == "NotFound":
                    return BulkProgress("cancelled")
                raise
            workflow.set_current_details(
                f"**{progress.state}**: {progress.done} of {progress.total} looked at, {progress.changed} changed, "
                f"{progress.restored} restored, {progress.left} left"
            )
            if progress.state not in ("running", "undoing") and self._looked:
                return progress

    async def _step(self, ref: BulkRef) -> BulkProgress:
        return await workflow.execute_activity_method(
            BulkSteps.step,
            ref,
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.NETWORK,
            heartbeat_timeout=timing.HEARTBEAT,
            retry_policy=timing.DATABASE_RETRY,
            summary="the next slices",
        )
