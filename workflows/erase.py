"""Removes a person who asked to be forgotten, step by step, until the receipt is whole.

The row is the record: it says what was removed so far and what is next. A run that was lost is begun again by the sweep. What
cannot be removed yet, a mail that is just being sent or an object stored within the hour, is waited for.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts import queues, timing
    from contracts.erasure import ErasureProgress, ErasureRef, ErasureSteps
    from contracts.search_attributes import TENANT_ID

STEPS_A_RUN = 400
AGAIN_AFTER = timedelta(minutes=10)


@workflow.defn(name="Erase")
class Erase:
    @workflow.run
    async def run(self, ref: ErasureRef) -> ErasureProgress:
        workflow.upsert_search_attributes([TENANT_ID.value_set(ref.tenant_id)])
        steps = 0
        while True:
            if steps >= STEPS_A_RUN or workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(ref)
            steps += 1
            try:
                progress = await self._step(ref)
            except ActivityError as error:
                cause = error.cause
                if isinstance(cause, ApplicationError) and cause.type == "NotFound":
                    return ErasureProgress("gone")
                raise
            workflow.set_current_details(f"**{progress.state}**, {progress.messages} messages in the last step")
            if progress.state == "done":
                return progress
            if progress.waiting:
                await workflow.sleep(AGAIN_AFTER, summary="what is being sent or was just stored")

    async def _step(self, ref: ErasureRef) -> ErasureProgress:
        return await workflow.execute_activity_method(
            ErasureSteps.step,
            ref,
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.BULK,
            heartbeat_timeout=timing.HEARTBEAT,
            retry_policy=timing.DATABASE_RETRY,
            summary="remove what is left of the person",
        )
