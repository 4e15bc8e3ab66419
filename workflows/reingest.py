"""Reads the mails of one run again, step by step: the dry run to its end, and, started again by a person's word, the taking over.

The row is the record: the signal only makes this look at it sooner. Between the two halves nothing runs. With Temporal
wiped, the sweep starts what the row still wants.
"""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts import queues, timing
    from contracts.reingest import ReingestProgress, ReingestRef, ReingestSteps
    from contracts.search_attributes import TENANT_ID

STEPS_A_RUN = 400


@workflow.defn(name="Reingest")
class Reingest:
    """Signal `poke` says that the row was changed; query `progress` answers how far it is."""

    def __init__(self) -> None:
        self._looked = False
        self._steps = 0
        self._progress: ReingestProgress | None = None

    @workflow.signal
    def poke(self) -> None:
        self._looked = False

    @workflow.query
    def progress(self) -> ReingestProgress | None:
        return self._progress

    @workflow.run
    async def run(self, ref: ReingestRef) -> ReingestProgress:
        workflow.upsert_search_attributes([TENANT_ID.value_set(ref.tenant_id)])
        while True:
            if workflow.info().is_continue_as_new_suggested() or self._steps >= STEPS_A_RUN:
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(ref)
            self._looked = True
            try:
                progress = await self._next(ref)
            except ActivityError as error:
                if _name(error) == "NotFound":
                    return ReingestProgress(state="cancelled")
                if _name(error) == "LeaseLost":
                    continue  # an attempt that was given up came back: the row knows better
                raise
            self._show(progress)
            if progress.paused:
                await workflow.wait_condition(lambda: not self._looked)
            elif progress.state not in ("planning", "applying") and self._looked:
                return progress

    async def _next(self, ref: ReingestRef) -> ReingestProgress:
        """What the row wants now is what the last step answered; the first one asks it."""
        self._steps += 1
        applying = self._progress is not None and self._progress.state in ("planned", "applying")
        if applying:
            return await workflow.execute_activity_method(
                ReingestSteps.apply,
                ref,
                task_queue=queues.REINGEST,
                start_to_close_timeout=timing.BULK,
                heartbeat_timeout=timing.HEARTBEAT,
                retry_policy=timing.DATABASE_RETRY,
                summary=self._words("taken over"),
            )
        return await workflow.execute_activity_method(
            ReingestSteps.plan,
            ref,
            task_queue=queues.REINGEST,
            start_to_close_timeout=timing.BULK,
            heartbeat_timeout=timing.HEARTBEAT,
            retry_policy=timing.DATABASE_RETRY,
            summary=self._words("compared"),
        )

    def _words(self, done: str) -> str:
        now = self._progress
        if now is None:
            return "what is wanted?"
        if done == "compared":
            return f"{now.done} of {now.total} {done}"
        return f"{now.applied} of {now.to_apply} {done}"

    def _show(self, progress: ReingestProgress) -> None:
        self._progress = progress
        workflow.set_current_details(
            f"**{progress.state}{', paused' if progress.paused else ''}**: {progress.done} of {progress.total} compared, "
            f"{progress.changed} differ, {progress.failed} failed, {progress.applied} of {progress.to_apply} taken over"
        )


def _name(error: ActivityError) -> str:
    cause = error.cause
    return (cause.type or "") if isinstance(cause, ApplicationError) else ""
