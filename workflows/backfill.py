"""Reads one folder's history: plan, then step by step on the backfill queue, until the row says done or cancelled.

The row is the record: signals only make this look at it sooner. With Temporal wiped, the sweep starts it again and it goes
on where the cursor stands.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts import queues, timing
    from contracts.backfill import BackfillProgress, BackfillSteps
    from contracts.failures import SENTENCES
    from contracts.refs import FolderRef
    from contracts.search_attributes import INBOX_ID, TENANT_ID

FIRST_RETRY = 10
LAST_RETRY = 600
# Only live sync asks a server again that refused the credentials; a reconnected inbox says so by a signal.
AFTER_REFUSAL = 3600
UNTIL_CONNECTED = 6 * 3600
STEPS_A_RUN = 400
GONE = ("NotFound", "LeaseLost")


@workflow.defn(name="Backfill")
class Backfill:
    """Signals `pause`, `resume` and `cancel` say that the row was changed; `resume` also that the inbox is connected."""

    def __init__(self) -> None:
        self._looked = True
        self._troubles = 0
        self._steps = 0

    @workflow.signal
    def pause(self) -> None:
        self._looked = False

    @workflow.signal
    def resume(self) -> None:
        self._looked = False

    @workflow.signal
    def cancel(self) -> None:
        self._looked = False

    @workflow.run
    async def run(self, ref: FolderRef) -> BackfillProgress:
        workflow.upsert_search_attributes(
            [TENANT_ID.value_set(ref.tenant_id), INBOX_ID.value_set(ref.inbox_id)]
        )
        while True:
            if workflow.info().is_continue_as_new_suggested() or self._steps >= STEPS_A_RUN:
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(ref)
            self._looked = True
            try:
                progress = await self._next(ref)
            except ActivityError as error:
                if _name(error) in GONE:
                    return BackfillProgress(state="cancelled", done=0, total=0, failure=_name(error))
                raise
            self._show(progress)
            if progress.failure is not None:
                await self._back_off(progress)
            elif progress.state == "paused":
                await workflow.wait_condition(lambda: not self._looked)
            elif progress.state in ("done", "cancelled", "none"):
                return progress
            else:
                self._troubles = 0

    async def _next(self, ref: FolderRef) -> BackfillProgress:
        """Plan first, and again after a pause; then steps. A plan that finds `running` costs one listing."""
        progress = await workflow.execute_activity_method(
            BackfillSteps.plan,
            ref,
            task_queue=queues.BACKFILL,
            start_to_close_timeout=timing.BULK,
            heartbeat_timeout=timing.HEARTBEAT,
            retry_policy=timing.NETWORK_RETRY,
            summary="how much history is there?",
        )
        while progress.state == "running" and progress.failure is None and self._looked:
            self._show(progress)
            self._steps += 1
            progress = await workflow.execute_activity_method(
                BackfillSteps.step,
                ref,
                task_queue=queues.BACKFILL,
                start_to_close_timeout=timing.BULK,
                heartbeat_timeout=timing.HEARTBEAT,
                retry_policy=timing.NETWORK_RETRY,
                summary=f"{progress.done} of {progress.total}",
            )
            if self._steps >= STEPS_A_RUN:
                break
        return progress

    async def _back_off(self, progress: BackfillProgress) -> None:
        self._troubles += 1
        seconds = min(LAST_RETRY, FIRST_RETRY * 2 ** min(self._troubles - 1, 10))
        if progress.failure == "AuthFailed":
            seconds = AFTER_REFUSAL
        if progress.failure == "NotConnected":
            seconds = UNTIL_CONNECTED
        if progress.retry_seconds is not None:
            seconds = max(seconds, min(progress.retry_seconds, 3600))
        try:
            await workflow.wait_condition(
                lambda: not self._looked,
                timeout=timedelta(seconds=seconds),
                timeout_summary=f"after {progress.failure}",
            )
        except TimeoutError:
            return

    def _show(self, progress: BackfillProgress) -> None:
        share = f" ({100 * progress.done // progress.total} %)" if progress.total else ""
        left = "" if progress.eta_seconds is None else f", about {progress.eta_seconds} s left"
        trouble = (
            "" if progress.failure is None else f"\n\n{SENTENCES.get(progress.failure, progress.failure)}"
        )
        workflow.set_current_details(
            f"**{progress.state}**: {progress.done} of {progress.total}{share}{left}{trouble}"
        )


def _name(error: ActivityError) -> str:
    cause = error.cause
    return (cause.type or "") if isinstance(cause, ApplicationError) else ""
