"""Tells one endpoint what waits for it, in order, for as long as something waits; what fails is tried again by durable timers.

The rows decide what is sent and when. A lost, doubled or late run, a poke and a lost Temporal database all lead to the same
question, and the sweep starts what is missing. Each endpoint has its own run, so one that hangs keeps no other waiting.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import queues, timing
    from contracts.webhooks import WebhookRef, WebhookReport, WebhookSteps

LEAST = timedelta(seconds=0.05)
STEPS_A_RUN = 400


@workflow.defn(name="WebhookEndpoint")
class WebhookEndpoint:
    """Signal `poke`: something new waits, or a person wants it tried now."""

    def __init__(self) -> None:
        self._poked = False

    @workflow.signal
    def poke(self) -> None:
        self._poked = True

    @workflow.run
    async def run(self, ref: WebhookRef) -> None:
        for _ in range(STEPS_A_RUN):
            if workflow.info().is_continue_as_new_suggested():
                break
            self._poked = False
            report = await self._drain(ref)
            said = f"{report.delivered} delivered, {report.failed} failed in the last batch"
            if report.wait_seconds is None:
                workflow.set_current_details(f"{said}; nothing waits")
                if not self._poked:
                    return
            elif report.wait_seconds > 0:
                wait = max(timedelta(seconds=report.wait_seconds), LEAST)
                workflow.set_current_details(f"{said}; tried again in {wait}")
                await self._sleep(wait)
        workflow.continue_as_new(ref)

    async def _drain(self, ref: WebhookRef) -> WebhookReport:
        return await workflow.execute_activity_method(
            WebhookSteps.drain,
            ref,
            task_queue=queues.WEBHOOKS,
            start_to_close_timeout=timing.NETWORK,
            heartbeat_timeout=timing.HEARTBEAT,
            retry_policy=timing.DATABASE_RETRY,
            summary="what waits to be told",
        )

    async def _sleep(self, wait: timedelta) -> None:
        """Until then, or less when somebody pokes."""
        try:
            await workflow.wait_condition(lambda: self._poked, timeout=wait, timeout_summary="until it is tried again")
        except TimeoutError:
            return
